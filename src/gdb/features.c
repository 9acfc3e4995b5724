/* SPDX-License-Identifier: BSD-2-Clause */
#include "gdb/features.h"

#include "gdb/target.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* In the order of enum gdb_reg: gdb numbers registers as they come. */
static const struct reg {
	const char *name, *type, *group;
} regs[GR_COUNT] = {
	[GR_EAX] = { "eax", "int32", NULL },
	[GR_ECX] = { "ecx", "int32", NULL },
	[GR_EDX] = { "edx", "int32", NULL },
	[GR_EBX] = { "ebx", "int32", NULL },
	[GR_ESP] = { "esp", "data_ptr", NULL },
	[GR_EBP] = { "ebp", "data_ptr", NULL },
	[GR_ESI] = { "esi", "int32", NULL },
	[GR_EDI] = { "edi", "int32", NULL },
	[GR_EIP] = { "eip", "code_ptr", NULL },
	[GR_EFLAGS] = { "eflags", "i386_eflags", NULL },
	[GR_CS] = { "cs", "int32", NULL },
	[GR_SS] = { "ss", "int32", NULL },
	[GR_DS] = { "ds", "int32", NULL },
	[GR_ES] = { "es", "int32", NULL },
	[GR_FS] = { "fs", "int32", NULL },
	[GR_GS] = { "gs", "int32", NULL },
	[GR_ST0] = { "st0", "i387_ext", NULL },
	[GR_ST0 + 1] = { "st1", "i387_ext", NULL },
	[GR_ST0 + 2] = { "st2", "i387_ext", NULL },
	[GR_ST0 + 3] = { "st3", "i387_ext", NULL },
	[GR_ST0 + 4] = { "st4", "i387_ext", NULL },
	[GR_ST0 + 5] = { "st5", "i387_ext", NULL },
	[GR_ST0 + 6] = { "st6", "i387_ext", NULL },
	[GR_ST0 + 7] = { "st7", "i387_ext", NULL },
	[GR_FCTRL] = { "fctrl", "int", "float" },
	[GR_FSTAT] = { "fstat", "int", "float" },
	[GR_FTAG] = { "ftag", "int", "float" },
	[GR_FISEG] = { "fiseg", "int", "float" },
	[GR_FIOFF] = { "fioff", "int", "float" },
	[GR_FOSEG] = { "foseg", "int", "float" },
	[GR_FOOFF] = { "fooff", "int", "float" },
	[GR_FOP] = { "fop", "int", "float" },
	[GR_XMM0] = { "xmm0", "vec128", NULL },
	[GR_XMM0 + 1] = { "xmm1", "vec128", NULL },
	[GR_XMM0 + 2] = { "xmm2", "vec128", NULL },
	[GR_XMM0 + 3] = { "xmm3", "vec128", NULL },
	[GR_XMM0 + 4] = { "xmm4", "vec128", NULL },
	[GR_XMM0 + 5] = { "xmm5", "vec128", NULL },
	[GR_XMM0 + 6] = { "xmm6", "vec128", NULL },
	[GR_XMM0 + 7] = { "xmm7", "vec128", NULL },
	[GR_MXCSR] = { "mxcsr", "i386_mxcsr", "vector" },
	[GR_CR0] = { "cr0", "i386_cr0", "system" },
	[GR_CR2] = { "cr2", "int32", "system" },
	[GR_CR3] = { "cr3", "int32", "system" },
	[GR_CR4] = { "cr4", "i386_cr4", "system" },
	[GR_FS_BASE] = { "fs_base", "int32", "system" },
	[GR_GS_BASE] = { "gs_base", "int32", "system" },
	[GR_GDTR_BASE] = { "gdtr_base", "int32", "system" },
	[GR_GDTR_LIMIT] = { "gdtr_limit", "int32", "system" },
	[GR_IDTR_BASE] = { "idtr_base", "int32", "system" },
	[GR_IDTR_LIMIT] = { "idtr_limit", "int32", "system" },
};

/* Registers whose bits have names (SDM 1, figures 3-8 and 10-3; SDM 3, 2.5). */
struct bit {
	const char *name;
	unsigned bit;
};

static const struct bit eflags_bits[] = {
	{ "CF", 0 }, { "", 1 }, { "PF", 2 }, { "AF", 4 }, { "ZF", 6 }, { "SF", 7 }, { "TF", 8 },
	{ "IF", 9 }, { "DF", 10 }, { "OF", 11 }, { "NT", 14 }, { "RF", 16 }, { "VM", 17 },
	{ "AC", 18 }, { "VIF", 19 }, { "VIP", 20 }, { "ID", 21 },
};

static const struct bit mxcsr_bits[] = {
	{ "IE", 0 }, { "DE", 1 }, { "ZE", 2 }, { "OE", 3 }, { "UE", 4 }, { "PE", 5 }, { "DAZ", 6 },
	{ "IM", 7 }, { "DM", 8 }, { "ZM", 9 }, { "OM", 10 }, { "UM", 11 }, { "PM", 12 },
	{ "FZ", 15 },
};

static const struct bit cr0_bits[] = {
	{ "PE", 0 }, { "MP", 1 }, { "EM", 2 }, { "TS", 3 }, { "ET", 4 }, { "NE", 5 }, { "WP", 16 },
	{ "AM", 18 }, { "NW", 29 }, { "CD", 30 }, { "PG", 31 },
};

static const struct bit cr4_bits[] = {
	{ "VME", 0 }, { "PVI", 1 }, { "TSD", 2 }, { "DE", 3 }, { "PSE", 4 }, { "PAE", 5 },
	{ "MCE", 6 }, { "PGE", 7 }, { "PCE", 8 }, { "OSFXSR", 9 }, { "OSXMMEXCPT", 10 },
};

static void write_flags(FILE *out, const char *id, const struct bit *bits, size_t n)
{
	fprintf(out, "<flags id=\"%s\" size=\"4\">\n", id);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "<field name=\"%s\" start=\"%u\" end=\"%u\"/>\n", bits[i].name,
			bits[i].bit, bits[i].bit);
	fprintf(out, "</flags>\n");
}

static void core_types(FILE *out)
{
	write_flags(out, "i386_eflags", eflags_bits, COUNT(eflags_bits));
}

static void sse_types(FILE *out)
{
	static const struct { const char *id, *type, *field; unsigned count; } lanes[] = {
		{ "v4f", "ieee_single", "v4_float", 4 }, { "v2d", "ieee_double", "v2_double", 2 },
		{ "v16i8", "int8", "v16_int8", 16 }, { "v8i16", "int16", "v8_int16", 8 },
		{ "v4i32", "int32", "v4_int32", 4 }, { "v2i64", "int64", "v2_int64", 2 },
	};

	for (size_t i = 0; i < COUNT(lanes); i++)
		fprintf(out, "<vector id=\"%s\" type=\"%s\" count=\"%u\"/>\n", lanes[i].id,
			lanes[i].type, lanes[i].count);
	fprintf(out, "<union id=\"vec128\">\n");
	for (size_t i = 0; i < COUNT(lanes); i++)
		fprintf(out, "<field name=\"%s\" type=\"%s\"/>\n", lanes[i].field, lanes[i].id);
	fprintf(out, "<field name=\"uint128\" type=\"uint128\"/>\n</union>\n");
	write_flags(out, "i386_mxcsr", mxcsr_bits, COUNT(mxcsr_bits));
}

static void system_types(FILE *out)
{
	write_flags(out, "i386_cr0", cr0_bits, COUNT(cr0_bits));
	write_flags(out, "i386_cr4", cr4_bits, COUNT(cr4_bits));
}

static const struct feature {
	const char *annex, *name;
	void (*types)(FILE *out);
	unsigned first, last;
} features[] = {
	{ "i386-core.xml", "org.gnu.gdb.i386.core", core_types, GR_EAX, GR_FOP },
	{ "i386-sse.xml", "org.gnu.gdb.i386.sse", sse_types, GR_XMM0, GR_MXCSR },
	{ "lilyvm-system.xml", "org.lilyvm.system", system_types, GR_CR0, GR_COUNT - 1 },
};

static void write_reg(FILE *out, unsigned n)
{
	const struct reg *reg = &regs[n];

	fprintf(out, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\" regnum=\"%u\"", reg->name,
		8 * target_reg_size(n), reg->type, n);
	if (reg->group)
		fprintf(out, " group=\"%s\"", reg->group);
	fprintf(out, "/>\n");
}

static void write_feature(FILE *out, const struct feature *f)
{
	fprintf(out, "<?xml version=\"1.0\"?>\n<!DOCTYPE feature SYSTEM \"gdb-target.dtd\">\n"
		"<feature name=\"%s\">\n", f->name);
	f->types(out);
	for (unsigned n = f->first; n <= f->last; n++)
		write_reg(out, n);
	fprintf(out, "</feature>\n");
}

static void write_target(FILE *out)
{
	fprintf(out, "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
		"<target version=\"1.0\">\n<architecture>i386</architecture>\n");
	for (size_t i = 0; i < COUNT(features); i++)
		fprintf(out, "<xi:include href=\"%s\"/>\n", features[i].annex);
	fprintf(out, "</target>\n");
}

bool features_write(const char *annex, FILE *out)
{
	if (!strcmp(annex, "target.xml")) {
		write_target(out);
		return true;
	}
	for (size_t i = 0; i < COUNT(features); i++)
		if (!strcmp(annex, features[i].annex)) {
			write_feature(out, &features[i]);
			return true;
		}
	return false;
}
