/* SPDX-License-Identifier: BSD-2-Clause */
#include "fakegdb.h"

#include "hostos/gdbport.h"
#include "monitor/vm.h"

#include <stdlib.h>
#include <string.h>

/* ---- the target ---- */

unsigned target_reg_size(unsigned reg)
{
	if (reg >= GR_ST0 && reg <= GR_ST7)
		return 10;
	return reg >= GR_XMM0 && reg <= GR_XMM7 ? 16 : 4;
}

void target_reg_read(struct vm *vm, unsigned reg, uint8_t *buf)
{
	memcpy(buf, vm->regs[reg], target_reg_size(reg));
}

bool target_reg_write(struct vm *vm, unsigned reg, const uint8_t *buf)
{
	if (reg == GR_CR0)
		return false;
	memcpy(vm->regs[reg], buf, target_reg_size(reg));
	return true;
}

static size_t room_at(uint64_t addr, size_t n)
{
	if (addr >= FAKE_MEMORY)
		return 0;
	return n < FAKE_MEMORY - addr ? n : FAKE_MEMORY - (size_t)addr;
}

size_t target_mem_read(struct vm *vm, uint64_t addr, uint8_t *buf, size_t n, bool physical)
{
	(void)physical;
	n = room_at(addr, n);
	if (n)
		memcpy(buf, vm->memory + addr, n);
	return n;
}

size_t target_mem_write(struct vm *vm, uint64_t addr, const uint8_t *buf, size_t n, bool physical)
{
	(void)physical;
	n = room_at(addr, n);
	if (n)
		memcpy(vm->memory + addr, buf, n);
	return n;
}

static void note_point(struct vm *vm, enum gdb_point type, uint32_t addr, uint32_t len)
{
	vm->type = type;
	vm->addr = addr;
	vm->len = len;
}

bool target_insert(struct vm *vm, enum gdb_point type, uint32_t addr, uint32_t len, bool any_space)
{
	note_point(vm, type, addr, len);
	vm->any_space = any_space;
	vm->inserts++;
	return !vm->refuse;
}

bool target_remove(struct vm *vm, enum gdb_point type, uint32_t addr, uint32_t len)
{
	note_point(vm, type, addr, len);
	vm->removes++;
	return !vm->refuse;
}

void target_remove_all(struct vm *vm)
{
	vm->removed_all++;
}

void target_resume(struct vm *vm, enum gdb_resume how, uint32_t start, uint32_t end)
{
	vm->resumes++;
	vm->how = how;
	vm->start = start;
	vm->end = end;
}

void target_interrupt(struct vm *vm)
{
	vm->interrupts++;
}

void target_monitor(struct vm *vm, const char *command, FILE *out)
{
	snprintf(vm->command, sizeof(vm->command), "%s", command);
	for (size_t i = 0; i < vm->answer; i++)
		fputc('a' + (int)(i % 26), out);
}

/* ---- the VM ---- */

void vm_quit(struct vm *vm, int status, const char *reason)
{
	(void)status;
	(void)reason;
	vm->quits++;
}

/* The test goes on. */
bool vm_wait_stopped(struct vm *vm)
{
	(void)vm;
	return false;
}

/* ---- the port: its context is the VM ---- */

int gdbport_open(struct gdbport **p, const char *spec, void (*kick)(void *ctx), void *ctx,
		 struct error *e)
{
	(void)spec;
	(void)kick;
	(void)e;
	*p = ctx;
	return 0;
}

void gdbport_close(struct gdbport **p)
{
	*p = NULL;
}

int gdbport_read(struct gdbport *p, uint8_t *buf, size_t n)
{
	struct vm *vm = (struct vm *)p;

	if (vm->joined != vm->told) {
		vm->told = vm->joined;
		return vm->joined ? GDBPORT_JOINED : GDBPORT_LEFT;
	}
	if (vm->chunk && n > vm->chunk)
		n = vm->chunk;
	if (n > vm->input_left)
		n = vm->input_left;
	if (!n && vm->hung_up && vm->joined) {
		vm->joined = vm->told = false;
		return GDBPORT_LEFT;
	}
	if (n)
		memcpy(buf, vm->input, n);
	vm->input += n;
	vm->input_left -= n;
	return (int)n;
}

void gdbport_write(struct gdbport *p, const uint8_t *buf, size_t n)
{
	struct vm *vm = (struct vm *)p;

	/* Who floods us loses what came before. */
	if (n >= sizeof(vm->output) - vm->output_len)
		vm->output_len = 0;
	memcpy(vm->output + vm->output_len, buf, n);
	vm->output_len += n;
}

void gdbport_cancel(struct gdbport *p)
{
	(void)p;
}

/* ---- for the tests ---- */

struct gdb *fake_session(struct vm *vm, bool wait)
{
	struct gdb *g = NULL;
	struct error e;

	memset(vm, 0, sizeof(*vm));
	vm->joined = true;
	if (gdb_open(&g, vm, "", wait, NULL, vm, &e) < 0)
		abort();
	return g;
}

static void feed(struct vm *vm, const void *bytes, size_t n)
{
	vm->input = bytes;
	vm->input_left = n;
	vm->output_len = 0;
}

void fake_stopped(struct gdb *g, struct vm *vm, enum gdb_stop why, const void *bytes, size_t n)
{
	feed(vm, bytes, n);
	gdb_stopped(g, &(struct gdb_stop_info){ .why = why });
}

void fake_running(struct gdb *g, struct vm *vm, const void *bytes, size_t n)
{
	feed(vm, bytes, n);
	gdb_poll(g);
}
