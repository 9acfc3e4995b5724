/* SPDX-License-Identifier: BSD-2-Clause */
#include "gdb/points.h"

static struct point *find(struct points *p, const struct point *like)
{
	for (struct point *q = p->point; q < p->point + p->n; q++)
		if (q->type == like->type && q->addr == like->addr && q->len == like->len)
			return q;
	return NULL;
}

static void drop(struct points *p, struct vm *vm, struct point *q)
{
	target_remove(vm, q->type, q->addr, q->len);
	*q = p->point[--p->n];
}

void points_settle(struct points *p, struct vm *vm)
{
	for (unsigned i = 0; i < p->n;)
		if (p->point[i].leaving)
			drop(p, vm, &p->point[i]);
		else
			i++;
}

static bool insert(struct points *p, struct vm *vm, const struct point *new)
{
	if (p->n == POINTS_MAX ||
	    !target_insert(vm, new->type, new->addr, new->len, new->any_space))
		return false;
	p->point[p->n++] = *new;
	return true;
}

bool points_insert(struct points *p, struct vm *vm, const struct point *new)
{
	struct point *old = find(p, new);

	if (old) {
		old->leaving = false;
		return true;
	}
	if (insert(p, vm, new))
		return true;
	/* Those that are leaving may have the room. */
	points_settle(p, vm);
	return insert(p, vm, new);
}

void points_remove(struct points *p, const struct point *old)
{
	struct point *q = find(p, old);

	if (q)
		q->leaving = true;
}

void points_clear(struct points *p, struct vm *vm)
{
	p->n = 0;
	target_remove_all(vm);
}
