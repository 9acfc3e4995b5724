/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library of the guest kernels: console, exit port, descriptor tables,
 * traps, interrupts.  Each kernel shows one behaviour of the machine and
 * prints what it saw; NAME/expected is what real hardware (and QEMU) prints.
 */
#ifndef GUEST_H
#define GUEST_H

#include "layout.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- console and end (console.c) --- */

#define PORT_COM1 0x3f8
#define PORT_EXIT 0x501		/* the byte written is the exit status of `lilyvm` */

/* The guest's own code; its result is the exit status.  magic and info are
 * the boot loader's (Multiboot specification 3.2). */
int main(uint32_t magic, const void *info);

void putch(char c);
/* Formats %c %s %d %u %x and %%, with a width and the flag 0. */
void printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Ends the virtual machine. */
void guest_exit(uint8_t status) __attribute__((noreturn));

void *memset(void *p, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* --- ports --- */

static inline void outb(uint16_t port, uint8_t v)
{
	asm volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

/* --- traps (trap.c, vectors.S) --- */

/* What the entry code pushes; the handler may change all of it. */
struct trap_frame {
	uint32_t gs, fs, es, ds;
	uint32_t edi, esi, ebp, unused_esp, ebx, edx, ecx, eax;
	uint32_t vector;
	uint32_t error;			/* 0 for vectors without an error code */
	uint32_t eip, cs, eflags;
	uint32_t esp, ss;		/* only when the trap came from user mode */
};

typedef void trap_fn(struct trap_frame *f);

/* Loads an IDT whose 256 gates lead to the handlers; the default one prints
 * the frame and ends the guest with status 255. */
void trap_init(void);
void trap_set(unsigned vector, trap_fn *fn);
/* Replaces a gate: type is 0xe interrupt gate, 0xf trap gate, 5 task gate. */
void trap_gate(unsigned vector, uint16_t sel, uint32_t offset, unsigned type, unsigned dpl);
/* The entry point of a vector, for trap_gate(). */
uint32_t trap_entry(unsigned vector);

/*
 * AT, between two instructions of assembler code, marks a place.  How long instructions
 * are depends on what has built the kernel; how many marks lie before one does not.
 */
#define AT "\n66: .pushsection .places, \"a\"; .long 66b; .popsection\n\t"

struct place { uint32_t marks, bytes; };
/* How many marks there are from start to eip, and the bytes from the last one (else from
 * start) to eip. */
struct place place_of(uint32_t start, uint32_t eip);
/* Prints it: the marks, and "+BYTES" unless that is 0. */
void place_print(uint32_t start, uint32_t eip);

/*
 * TRY(code) runs assembler code with a handler that catches exceptions 0-31:
 * afterwards `caught` tells what happened.  Execution goes on behind the code.
 * The code may use all registers but esp and ebp as it likes.  The jump that is
 * never taken shows whoever disassembles the code that it goes on behind it.
 */
#define NO_TRAP 0xffu
struct caught {
	uint32_t vector;		/* NO_TRAP: none happened */
	uint32_t error;
	uint32_t offset;		/* eip in the frame, relative to the last AT before it,
					   else to the code's first byte */
	uint32_t eflags, cs, cr2;
};
extern struct caught caught;
extern uint32_t try_start, try_end, try_esp, try_ebp;

#define TRY(code) do {								\
	caught = (struct caught){ .vector = NO_TRAP };				\
	asm volatile("movl $8f, try_start\n\tmovl $9f, try_end\n\t"		\
		     "movl %%esp, try_esp\n\tmovl %%ebp, try_ebp\n\t"		\
		     "jmp 8f\n\tjmp 9f\n"					\
		     "8:\t" code "\n9:\n"					\
		     : : : "eax", "ebx", "ecx", "edx", "esi", "edi", "memory", "cc"); \
} while (0)

/* Makes exceptions 0-31 catchable by TRY(). */
void try_init(void);
/* The handler that does it. */
void try_catch(struct trap_frame *f) __attribute__((noreturn));
/* Prints "NAME: vector N error X eip+N", or "NAME: no trap". */
void try_print(const char *name);

/* --- descriptors (gdt.c) --- */

/* attr: access byte in bits 0-7, G D/B L AVL in bits 12-15 (SDM 3, 3.4.5). */
void gdt_set(uint16_t sel, uint32_t base, uint32_t limit, uint16_t attr);

/* 32-bit TSS (SDM 3, figure 8-2). */
struct tss {
	uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
	uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t es, cs, ss, ds, fs, gs, ldt;
	uint16_t trap, iomap;
};
extern struct tss tss;
/* Loads TR with `tss`, kernel stack at stack (its top). */
void tss_init(void *stack);
/* Adds an I/O permission bitmap that allows the ports below TSS_PORTS. */
#define TSS_PORTS 0x500
void tss_allow_ports(void);
extern uint8_t tss_iomap[TSS_PORTS / 8 + 1];
/* Goes to user mode at eip with the stack pointer esp; interrupts as in
 * eflags. Comes back only by traps. */
void enter_user(uint32_t eip, uint32_t esp, uint32_t eflags) __attribute__((noreturn));

/* --- user mode (user.c, vectors.S) --- */

/* Makes exceptions 0-31 and int $0x80 end user_enter() when they come from user
 * mode, TRY() otherwise.  Loads TR. */
void user_init(void);
/* Runs user mode from *f until a trap; *f is then what the trap has pushed. */
void user_enter(struct trap_frame *f);
/* Flat segments, a stack of its own, interrupts off. */
struct trap_frame user_start(const void *eip);
/* Runs the code at eip and prints how it ended, eip as an offset. */
void user_print(const char *name, const void *eip);
/* Prints vector, error code and the frame, eip relative to start. */
void frame_print(const char *name, const struct trap_frame *f, const void *start);

/* Assembler code for user mode, named by the symbol name: it lies in the data,
 * where kernel mode never runs.  Ends with int $0x80. */
#define USER_CODE(name, code)							\
	extern const char name[];						\
	asm(".pushsection .user, \"aw\"\n" #name ":\n\t" code "\n\tint $0x80\n\t"	\
	    "ud2\n.popsection\n")

/* --- paging (paging.c) --- */

#define PTE_P 0x001u
#define PTE_W 0x002u
#define PTE_U 0x004u
#define PTE_A 0x020u
#define PTE_D 0x040u
#define PTE_PS 0x080u
#define PTE_G 0x100u
#define CR0_TS 0x00000008u
#define CR0_WP 0x00010000u
#define CR0_PG 0x80000000u
#define CR4_PSE 0x010u
#define CR4_PGE 0x080u
#define CR4_OSFXSR 0x200u
#define PAGE 4096u

/* A zeroed page; its physical address is its virtual one. */
void *page_alloc(void);
/* A page directory that maps the first 48 MiB to themselves, for user mode too;
 * all share the page tables of that part. */
uint32_t *paging_new(void);
/* Maps the page at va; flags are PTE_*. */
void page_map(uint32_t *dir, uint32_t va, const void *page, uint32_t flags);
/* The page-table entry of va, whose table has to exist. */
uint32_t *page_entry(uint32_t *dir, uint32_t va);
void paging_on(uint32_t *dir);

static inline void invlpg(uint32_t va)
{
	asm volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline uint32_t peek(uint32_t va) { return *(volatile uint32_t *)va; }
static inline void poke(uint32_t va, uint32_t v) { *(volatile uint32_t *)va = v; }

/* --- interrupts (pic.c) --- */

#define IRQ_BASE 0x20		/* vector of IRQ 0 */

/* Both 8259s: vectors from IRQ_BASE, all lines masked. */
void pic_init(void);
void pic_unmask(unsigned irq);
void pic_mask(unsigned irq);
void pic_eoi(unsigned irq);
/* Programs counter 0 of the 8254 as a rate generator. */
void pit_rate(unsigned hz);
/* Counter 0 as a one-shot: one interrupt after the given microseconds. */
void pit_once(unsigned us);

static inline void cli(void) { asm volatile("cli" : : : "memory"); }
static inline void sti(void) { asm volatile("sti" : : : "memory"); }
/* Sleeps until the next interrupt: sti takes effect after hlt has begun. */
static inline void sti_hlt(void) { asm volatile("sti; hlt" : : : "memory"); }

static inline uint32_t read_eflags(void)
{
	uint32_t v;

	asm volatile("pushfl; popl %0" : "=r"(v));
	return v;
}

#define DEFINE_CR(n)						\
static inline uint32_t read_cr##n(void)				\
{								\
	uint32_t v;						\
								\
	asm volatile("movl %%cr" #n ", %0" : "=r"(v));		\
	return v;						\
}								\
								\
static inline void write_cr##n(uint32_t v)			\
{								\
	asm volatile("movl %0, %%cr" #n : : "r"(v) : "memory");	\
}
/* For the whole register: pushf and popf in one statement. */
static inline void write_eflags(uint32_t v)
{
	asm volatile("pushl %0; popfl" : : "r"(v) : "memory", "cc");
}

static inline uint64_t read_msr(uint32_t n)
{
	uint64_t v;

	asm volatile("rdmsr" : "=A"(v) : "c"(n));
	return v;
}

static inline void write_msr(uint32_t n, uint64_t v)
{
	asm volatile("wrmsr" : : "c"(n), "A"(v) : "memory");
}

DEFINE_CR(0)
DEFINE_CR(2)
DEFINE_CR(3)
DEFINE_CR(4)
#undef DEFINE_CR

#endif
