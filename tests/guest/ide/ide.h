/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IDE_H
#define IDE_H

#include "pci.h"

#define SECTOR 512u
#define CD_SECTOR 2048u

/* Registers of a channel, from its base; the control register. */
enum {
	DATA, ERROR, COUNT, LBA_LOW, LBA_MID, LBA_HIGH, DEVICE, STATUS,
	FEATURES = ERROR, COMMAND = STATUS,
};
#define PRIMARY 0x1f0
#define SECONDARY 0x170
#define CONTROL(base) ((uint16_t)((base) + 0x206))

#define BSY 0x80
#define DRDY 0x40
#define DRQ 0x08
#define ERR 0x01
#define LBA 0xe0		/* in the device register */

/* Waits while BSY is set; the status. */
uint8_t ide_wait(uint16_t base);
/* Selects the device and sets a 28-bit address. */
void ide_address(uint16_t base, uint8_t device, uint32_t lba, uint8_t count);

/* Bus master: ports of the channel, and the transfer of one command. */
void dma_init(void);
void dma_start(uint16_t base, void *p, uint32_t len, bool to_memory);
/* Waits for its end and stops it; the bus master's status. */
uint8_t dma_end(uint16_t base);

/* Interrupts of both channels since the last call. */
unsigned ide_interrupts(uint16_t base);
void ide_interrupts_init(void);

void cdrom(void);

#endif
