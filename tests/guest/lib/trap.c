/* SPDX-License-Identifier: BSD-2-Clause */
/* IDT, handlers, and TRY(). */
#include "guest.h"

#define VECTOR_STRIDE 16
#define EXCEPTIONS 32

extern const char trap_vectors[];
void trap(struct trap_frame *f);

static uint64_t idt[256] __attribute__((aligned(8)));
static trap_fn *handlers[256];

struct caught caught;
uint32_t try_start, try_end, try_esp, try_ebp;

uint32_t trap_entry(unsigned vector)
{
	return (uint32_t)trap_vectors + vector * VECTOR_STRIDE;
}

void trap_gate(unsigned vector, uint16_t sel, uint32_t offset, unsigned type, unsigned dpl)
{
	uint32_t low = (uint32_t)sel << 16 | (offset & 0xffff);
	uint32_t high = (offset & 0xffff0000) | 0x8000 | dpl << 13 | type << 8;

	idt[vector] = (uint64_t)high << 32 | low;
}

void trap_set(unsigned vector, trap_fn *fn)
{
	handlers[vector] = fn;
}

void trap_init(void)
{
	struct { uint16_t limit; uint32_t base; } __attribute__((packed)) pointer = {
		sizeof(idt) - 1, (uint32_t)idt
	};

	for (unsigned v = 0; v < 256; v++)
		trap_gate(v, KERNEL_CS, trap_entry(v), 0xe, 0);
	asm volatile("lidt %0" : : "m"(pointer));
}

void trap(struct trap_frame *f)
{
	if (handlers[f->vector]) {
		handlers[f->vector](f);
		return;
	}
	printf("unexpected trap %u error %x at %x:%08x eflags %x cr2 %08x\n", f->vector, f->error,
	       f->cs, f->eip, f->eflags, read_cr2());
	guest_exit(255);
}

/* Notes the exception and goes on behind the code of TRY(), on its stack. */
void try_catch(struct trap_frame *f)
{
	caught = (struct caught){
		.vector = f->vector, .error = f->error, .offset = place_of(try_start, f->eip).bytes,
		.eflags = f->eflags, .cs = f->cs, .cr2 = read_cr2(),
	};
	asm volatile("movl %0, %%esp\n\tmovl %1, %%ebp\n\t"
		     "movl %2, %%ecx\n\tmovl %%ecx, %%ds\n\tmovl %%ecx, %%es\n\t"
		     "movl %%ecx, %%fs\n\tmovl %%ecx, %%gs\n\tpushl $2\n\tpopfl\n\tjmp *%3"
		     : : "m"(try_esp), "m"(try_ebp), "i"(KERNEL_DS), "m"(try_end) : "memory");
	__builtin_unreachable();
}

void try_init(void)
{
	for (unsigned v = 0; v < EXCEPTIONS; v++)
		trap_set(v, try_catch);
}

void try_print(const char *name)
{
	if (caught.vector == NO_TRAP)
		printf("%s: no trap\n", name);
	else
		printf("%s: vector %u error %x eip+%u\n", name, caught.vector, caught.error,
		       caught.offset);
}
