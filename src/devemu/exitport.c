/* SPDX-License-Identifier: BSD-2-Clause */
#include "devemu/exitport.h"

void exitport_init(struct exitport *e, const struct dev_services *s)
{
	e->s = s;
}

void exitport_reset(struct exitport *e)
{
	(void)e;
}

uint32_t exitport_in(struct exitport *e, unsigned reg, unsigned size)
{
	(void)e;
	(void)size;
	return reg == 0 ? EXITPORT_ID : 0xffffffffu;
}

void exitport_out(struct exitport *e, unsigned reg, unsigned size, uint32_t v)
{
	(void)size;
	if (reg == 0)
		e->s->exit(e->s->ctx, v & 0xff);
}
