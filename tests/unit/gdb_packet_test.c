/* SPDX-License-Identifier: BSD-2-Clause */
/* The debugger's protocol, against a VM that only takes notes. */
#include "fakegdb.h"
#include "gdb/packet.h"
#include "monitor/vm.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct vm vm;
static struct gdb *session;

static void setup(void)
{
	session = fake_session(&vm, false);
}

static void teardown(void)
{
	gdb_close(&session);
	ck_assert_ptr_null(session);
	gdb_close(&session);
}

/* ---- talking ---- */

/* data as a packet, in a buffer that the next call overwrites. */
static const char *framed(const char *data, size_t n)
{
	static char frame[PACKET_MAX + 64];
	uint8_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + (uint8_t)data[i]);
	frame[0] = '$';
	memcpy(frame + 1, data, n);
	snprintf(frame + 1 + n, 4, "#%02x", sum);
	return frame;
}

/* What came out, as a string. */
static const char *output(void)
{
	vm.output[vm.output_len] = '\0';
	return (const char *)vm.output;
}

static void send_bytes(const char *bytes, size_t n)
{
	fake_stopped(session, &vm, GS_NONE, bytes, n);
}

/* Sends a packet; returns all that comes back. */
static const char *ask_bytes(const char *data, size_t n)
{
	send_bytes(framed(data, n), n + 4);
	return output();
}

static const char *ask(const char *data)
{
	return ask_bytes(data, strlen(data));
}

/* The data of the only packet in the output, behind its acknowledgement. */
static const char *answer(const char *data)
{
	static char copy[FAKE_LINE];
	const char *got = ask(data);
	const char *end = strrchr(got, '#');

	ck_assert_msg(got[0] == '+' && got[1] == '$' && end && strlen(end) == 3, "%s: %s", data, got);
	memcpy(copy, got + 2, (size_t)(end - got - 2));
	copy[end - got - 2] = '\0';
	ck_assert_str_eq(framed(copy, strlen(copy)), got + 1);
	return copy;
}

static void set_reg(unsigned reg, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		vm.regs[reg][i] = (uint8_t)(v >> 8 * i);
}

/* ---- framing ---- */

START_TEST(frames)
{
	ck_assert_str_eq(ask("qC"), "+$QC1#c5");
	/* One byte at a time, with noise before. */
	vm.chunk = 1;
	send_bytes("noise$qC#b4", 11);
	ck_assert_str_eq(output(), "+$QC1#c5");
	/* Two packets at once, the sums in capitals. */
	send_bytes("$qC#B4$qC#b4", 12);
	ck_assert_str_eq(output(), "+$QC1#c5+$QC1#c5");
	/* One in parts, while nothing comes in between. */
	send_bytes("$q", 2);
	ck_assert_str_eq(output(), "");
	send_bytes("C#b4", 4);
	ck_assert_str_eq(output(), "+$QC1#c5");
	/* The end of one was lost. */
	send_bytes("$m0,4$qC#b4", 11);
	ck_assert_str_eq(output(), "+$QC1#c5");
}
END_TEST

START_TEST(damage)
{
	static const char *const bad[] = {
		"$qC#b5", "$qC#zz", "$qC}#31", "$#01", "$qC#b$",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		send_bytes(bad[i], strlen(bad[i]));
		ck_assert_str_eq(output(), "-");
		ck_assert_str_eq(ask("qC"), "+$QC1#c5");
	}
}
END_TEST

START_TEST(repeats)
{
	send_bytes("-", 1);
	ck_assert_str_eq(output(), "");		/* nothing has been sent yet */
	ask("qC");
	send_bytes("-", 1);
	ck_assert_str_eq(output(), "$QC1#c5");
	send_bytes("+", 1);
	ck_assert_str_eq(output(), "");
}
END_TEST

START_TEST(no_acks)
{
	ck_assert_str_eq(ask("QStartNoAckMode"), "+$OK#9a");
	ck_assert_str_eq(ask("qC"), "$QC1#c5");
	send_bytes("-", 1);
	ck_assert_str_eq(output(), "");
	send_bytes("$qC#00", 6);
	ck_assert_str_eq(output(), "");
}
END_TEST

/* A packet of every legal size is taken, one that is longer refused. */
START_TEST(sizes)
{
	static char data[PACKET_MAX + 2];

	memset(data, 'x', sizeof(data));
	for (size_t n = PACKET_MAX - 3; n <= PACKET_MAX; n++)
		ck_assert_str_eq(ask_bytes(data, n), "+$#00");
	send_bytes(framed(data, PACKET_MAX + 1), PACKET_MAX + 5);
	ck_assert_str_eq(output(), "-");
	ck_assert_str_eq(ask("qC"), "+$QC1#c5");
}
END_TEST

START_TEST(unknown_packets)
{
	static const char *const words[] = {
		"", "vMustReplyEmpty", "v", "q", "qCRC:0,4", "qSupportedX", "vContX", "R00", "!", "b",
		"qXfer:memory-map:read::0,100", "vAttach;1", "\x01",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		ck_assert_str_eq(answer(words[i]), "");
}
END_TEST

/* ---- commands ---- */

START_TEST(fixed_answers)
{
	static const struct { const char *ask, *answer; } table[] = {
		{ "qSupported:swbreak+", "PacketSize=4000;QStartNoAckMode+;qXfer:features:read+;"
					 "vContSupported+;swbreak+;hwbreak+" },
		{ "Hg0", "OK" }, { "Hc-1", "OK" }, { "Hg1", "OK" }, { "Hg2", "E22" }, { "H", "E22" },
		{ "Hx1", "E22" }, { "T1", "OK" }, { "T2", "E22" }, { "T", "E22" },
		{ "qC", "QC1" }, { "qAttached", "1" }, { "qAttached:1", "1" },
		{ "qfThreadInfo", "m1" }, { "qsThreadInfo", "l" }, { "vCont?", "vCont;c;C;s;S;t;r" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		ck_assert_str_eq(answer(table[i].ask), table[i].answer);
}
END_TEST

START_TEST(one_register)
{
	set_reg(GR_EIP, 0xc0100004);
	ck_assert_str_eq(answer("p8"), "040010c0");
	ck_assert_str_eq(answer("P0=78563412"), "OK");
	ck_assert_mem_eq(vm.regs[GR_EAX], "\x78\x56\x34\x12", 4);
	ck_assert_str_eq(answer("P10=0102030405060708090a"), "OK");
	ck_assert_str_eq(answer("p10"), "0102030405060708090a");
	ck_assert_uint_eq(strlen(answer("p20")), 32);
	ck_assert_str_eq(answer("P29=00000000"), "E22");	/* refused by the VM */
}
END_TEST

START_TEST(bad_register)
{
	static const char *const words[] = {
		"p", "p33", "pffffffffffffffff", "p00000000000000000", "pz", "p0,", "P", "P0", "P0=",
		"P0=123456", "P0=1234567", "P0=12345678ab", "P0=1234567z", "P33=12345678", "P10=12345678",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		ck_assert_str_eq(answer(words[i]), "E22");
}
END_TEST

START_TEST(all_registers)
{
	static const size_t size = 16 * 4 + 8 * 10 + 8 * 4 + 8 * 16 + 4 + 10 * 4;
	char packet[1024], got[1024];
	uint8_t before[GR_COUNT][16];

	set_reg(GR_EAX, 0x44332211);
	set_reg(GR_IDTR_LIMIT, 0x7ff);
	strcpy(got, answer("g"));
	ck_assert_uint_eq(strlen(got), 2 * size);
	ck_assert_int_eq(strncmp(got, "11223344", 8), 0);
	ck_assert_str_eq(got + strlen(got) - 8, "ff070000");
	for (size_t i = 0; i < 2 * size; i++)
		got[i] = "0123456789abcdef"[i * 7 % 16];
	snprintf(packet, sizeof(packet), "G%s", got);
	memcpy(before, vm.regs[GR_CR0], 16);
	/* One is refused, the others are written. */
	ck_assert_str_eq(answer(packet), "E22");
	strcpy(packet, answer("g"));
	ck_assert_int_eq(strncmp(packet, got, 2 * (16 * 4 + 80 + 32 + 128 + 4)), 0);
	ck_assert_mem_eq(vm.regs[GR_CR0], before, 4);
	ck_assert_str_eq(packet + 2 * (size - 36), got + 2 * (size - 36));
	ck_assert_str_eq(answer("G00"), "E22");
}
END_TEST

START_TEST(memory_read)
{
	static char all[2 * FAKE_MEMORY + 1];

	for (unsigned i = 0; i < FAKE_MEMORY; i++)
		vm.memory[i] = (uint8_t)(i * 3);
	ck_assert_str_eq(answer("m10,4"), "30333639");
	ck_assert_str_eq(answer("m3ffe,10"), "fafd");		/* the end of what is mapped */
	ck_assert_str_eq(answer("m4000,1"), "E14");
	ck_assert_str_eq(answer("mffffffffc0000000,4"), "E14");
	ck_assert_str_eq(answer("m0,"), "E22");
	ck_assert_str_eq(answer("m0"), "E22");
	ck_assert_str_eq(answer("m,4"), "E22");
	ck_assert_str_eq(answer("m0,4x"), "E22");
	/* As much as one packet holds. */
	strcpy(all, answer("m0,ffffffff"));
	ck_assert_uint_eq(strlen(all), PACKET_MAX);
}
END_TEST

START_TEST(memory_write)
{
	static const char binary[] = "X22,6:a}\x03}\x04}]\0z";

	ck_assert_str_eq(answer("M10,4:deadBEEF"), "OK");
	ck_assert_mem_eq(vm.memory + 0x10, "\xde\xad\xbe\xef", 4);
	ck_assert_str_eq(ask_bytes(binary, sizeof(binary) - 1), "+$OK#9a");
	ck_assert_mem_eq(vm.memory + 0x22, "a#$}\0z", 6);
	ck_assert_str_eq(answer("X0,0:"), "OK");
	ck_assert_str_eq(answer("M3ffe,4:01020304"), "E14");
	ck_assert_str_eq(answer("X5000,1:a"), "E14");
	ck_assert_str_eq(answer("M10,4:deadbe"), "E22");
	ck_assert_str_eq(answer("M10,2:deadbe"), "E22");
	ck_assert_str_eq(answer("M10,ffffffffffffffff:de"), "E22");
	ck_assert_str_eq(answer("M10,8000000000000001:de"), "E22");
	ck_assert_str_eq(answer("M10,2:dexx"), "E22");
	ck_assert_str_eq(answer("X10,2:a"), "E22");
	ck_assert_str_eq(answer("X10,2"), "E22");
}
END_TEST

START_TEST(points)
{
	for (int type = GP_SOFTWARE; type <= GP_ACCESS; type++) {
		char word[32];

		snprintf(word, sizeof(word), "Z%d,c0100123,4", type);
		ck_assert_str_eq(answer(word), "OK");
		ck_assert_int_eq(vm.type, type);
		ck_assert_uint_eq(vm.addr, 0xc0100123);
		ck_assert_uint_eq(vm.len, 4);
		ck_assert(!vm.any_space);
		word[0] = 'z';
		ck_assert_str_eq(answer(word), "OK");
	}
	ck_assert_uint_eq(vm.inserts, 5);
	ck_assert_uint_eq(vm.removes, 0);
	vm.refuse = true;
	ck_assert_str_eq(answer("Z2,0,4"), "E22");
	/* It was tried again without those that are leaving. */
	ck_assert_uint_eq(vm.removes, 5);
	ck_assert_uint_eq(vm.inserts, 7);
	ck_assert_str_eq(answer("z2,0,4"), "OK");
	ck_assert_str_eq(answer("Z5,0,4"), "");
	ck_assert_str_eq(answer("z5,0,4"), "");
	ck_assert_str_eq(answer("Z100000000,0,4"), "E22");
	ck_assert_str_eq(answer("Z0,100000000,1"), "E22");
	ck_assert_str_eq(answer("Z0,0,100000000"), "E22");
	ck_assert_str_eq(answer("Z0,0"), "E22");
	ck_assert_str_eq(answer("Z0,0,1;X1,0"), "E22");
	ck_assert_uint_eq(vm.inserts, 7);
}
END_TEST

/* gdb takes points out at a stop and puts them back: the VM keeps them, and the
 * address spaces that they were set in. */
START_TEST(points_stay)
{
	ask("Z0,1000,1");
	ask("Z0,2000,1");
	ask("c");
	ask("z0,1000,1");
	ask("z0,2000,1");
	ask("Z0,2000,1");
	ck_assert_uint_eq(vm.inserts, 2);
	ck_assert_uint_eq(vm.removes, 0);
	/* Now the first is really gone. */
	ask("s");
	ck_assert_uint_eq(vm.removes, 1);
	ck_assert_uint_eq(vm.addr, 0x1000);
	ask("Z0,1000,1");
	ck_assert_uint_eq(vm.inserts, 3);
	/* What comes back is as it was, only new ones are for all address spaces. */
	ask("z0,2000,1");
	ask("qRcmd,616e792d7370616365206f6e");
	ask("Z0,2000,1");
	ck_assert_uint_eq(vm.inserts, 3);
	ask("Z0,3000,1");
	ck_assert_uint_eq(vm.inserts, 4);
	ck_assert(vm.any_space);
}
END_TEST

START_TEST(many_points)
{
	char word[32];

	for (unsigned i = 0; i < 256; i++) {
		snprintf(word, sizeof(word), "Z0,%x,1", i);
		ck_assert_str_eq(answer(word), "OK");
	}
	ck_assert_str_eq(answer("Z0,100,1"), "E22");
	ask("z0,5,1");
	ck_assert_str_eq(answer("Z0,100,1"), "OK");
	ck_assert_uint_eq(vm.removes, 1);
}
END_TEST

START_TEST(target_description)
{
	static char text[FAKE_LINE];
	unsigned regs = 0;

	snprintf(text, sizeof(text), "%s", answer("qXfer:features:read:target.xml:0,1000"));
	ck_assert_int_eq(text[0], 'l');
	ck_assert_ptr_nonnull(strstr(text, "<architecture>i386</architecture>"));
	for (const char *at = text, *href; (href = strstr(at, "href=\"")); at = href + 6) {
		char word[128], part[128], whole[FAKE_LINE] = "";
		size_t from = 0;

		/* In parts of 50 bytes. */
		do {
			snprintf(word, sizeof(word), "qXfer:features:read:%.*s:%zx,32",
				 (int)strcspn(href + 6, "\""), href + 6, from);
			snprintf(part, sizeof(part), "%s", answer(word));
			strcat(whole, part + 1);
			from += 50;
		} while (part[0] == 'm');
		ck_assert_int_eq(part[0], 'l');
		ck_assert_ptr_nonnull(strstr(whole, "</feature>\n"));
		for (const char *reg = whole; (reg = strstr(reg, "<reg ")); reg++) {
			char wanted[32];
			const char *end = strchr(reg, '\n');
			const char *number;

			snprintf(wanted, sizeof(wanted), "regnum=\"%u\"", regs);
			number = strstr(reg, wanted);
			ck_assert_msg(number && number < end, "%s", wanted);
			snprintf(wanted, sizeof(wanted), "bitsize=\"%u\"", 8 * target_reg_size(regs));
			number = strstr(reg, wanted);
			ck_assert_msg(number && number < end, "%s", wanted);
			regs++;
		}
	}
	ck_assert_uint_eq(regs, GR_COUNT);
	ck_assert_str_eq(answer("qXfer:features:read:other.xml:0,10"), "E00");
	ck_assert_str_eq(answer("qXfer:features:read::0,10"), "E00");
	ck_assert_str_eq(answer("qXfer:features:read:target.xml"), "E00");
	ck_assert_str_eq(answer("qXfer:features:read:target.xml:0"), "E00");
	ck_assert_str_eq(answer("qXfer:features:read:target.xml:ffffffffffffffff,10"), "l");
	ck_assert_str_eq(answer("qXfer:features:read:target.xml:0,0"), "m");
}
END_TEST

START_TEST(monitor)
{
	ck_assert_str_eq(answer("qRcmd,696e666f20697271"), "OK");
	ck_assert_str_eq(vm.command, "info irq");
	vm.answer = 3;
	ck_assert_str_eq(ask("qRcmd,7a"), "+$O616263#87$OK#9a");
	vm.answer = 0;
	ck_assert_str_eq(answer("qRcmd,7"), "E22");
	ck_assert_str_eq(answer("qRcmd,zz"), "E22");
	ck_assert_str_eq(answer("qRcmd,"), "OK");
	ck_assert_str_eq(vm.command, "");
}
END_TEST

/* Output of any length, in packets of legal size. */
START_TEST(monitor_output)
{
	size_t total = 0;
	const char *at;

	vm.answer = 20000;
	at = ask("qRcmd,7a") + 1;
	while (at[1] == 'O' && at[2] != 'K') {
		size_t n = strcspn(at, "#");

		ck_assert_uint_le(n - 1, PACKET_MAX);
		total += (n - 2) / 2;
		at += n + 3;
	}
	ck_assert_uint_eq(total, 20000);
	ck_assert_str_eq(at, "$OK#9a");
}
END_TEST

START_TEST(any_space)
{
	ask("qRcmd,616e792d7370616365206f6e");		/* any-space on */
	ask("Z0,1000,1");
	ck_assert(vm.any_space);
	ask("qRcmd,616e792d7370616365206f6666");	/* any-space off */
	ask("Z0,2000,1");
	ck_assert(!vm.any_space);
	ck_assert_str_eq(vm.command, "");
}
END_TEST

/* ---- going on and stopping ---- */

START_TEST(resumes)
{
	static const struct {
		const char *word;
		enum gdb_resume how;
		uint32_t start, end, eip;
	} table[] = {
		{ "c", GDB_CONTINUE, 0, 0, 0x1000 }, { "s", GDB_STEP, 0, 0, 0x1000 },
		{ "c2000", GDB_CONTINUE, 0, 0, 0x2000 }, { "sc0100000", GDB_STEP, 0, 0, 0xc0100000 },
		{ "C05", GDB_CONTINUE, 0, 0, 0x1000 }, { "S05;3000", GDB_STEP, 0, 0, 0x3000 },
		{ "vCont;c", GDB_CONTINUE, 0, 0, 0x1000 }, { "vCont;s:1;c", GDB_STEP, 0, 0, 0x1000 },
		{ "vCont;s:1;c:-1", GDB_STEP, 0, 0, 0x1000 }, { "vCont;C0f:0", GDB_CONTINUE, 0, 0, 0x1000 },
		{ "vCont;S05", GDB_STEP, 0, 0, 0x1000 },
		{ "vCont;r1000,1010:1;c", GDB_RANGE, 0x1000, 0x1010, 0x1000 },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint32_t eip;

		set_reg(GR_EIP, 0x1000);
		/* From the second turn on the stop is reported first. */
		ask(table[i].word);
		ck_assert_uint_eq(vm.resumes, i + 1);
		ck_assert_int_eq(vm.how, table[i].how);
		ck_assert_uint_eq(vm.start, table[i].start);
		ck_assert_uint_eq(vm.end, table[i].end);
		memcpy(&eip, vm.regs[GR_EIP], 4);
		ck_assert_uint_eq(eip, table[i].eip);
		ck_assert_int_eq(output()[vm.output_len - 1], '+');
	}
}
END_TEST

START_TEST(bad_resumes)
{
	static const char *const words[] = {
		"cz", "c100000000", "c1000,2", "C", "C5", "Czz", "C05,1000", "S05;z", "vCont", "vCont;",
		"vCont;x", "vCont;c:2", "vCont;r1000", "vCont;r1000,", "vCont;r100000000,2:1", "vCont;C:1",
		"vCont;c;", "vCont;c1", "vCont;c:1x",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		ck_assert_str_eq(answer(words[i]), "E22");
	ck_assert_uint_eq(vm.resumes, 0);
}
END_TEST

static void report(const struct gdb_stop_info *why, const char *wanted)
{
	ask("c");
	vm.output_len = 0;
	vm.input_left = 0;
	gdb_stopped(session, why);
	ck_assert_str_eq(output(), framed(wanted, strlen(wanted)));
}

#define REGS "08:00100000;04:00200000;05:00300000;thread:1;"

/* Its reason is shown before the stop reply. */
static void report_death(int status, const char *reply)
{
	const struct gdb_stop_info why = { .why = GS_DIED, .status = status, .reason = "why\n" };
	char wanted[128];
	size_t n;

	ask("c");
	vm.output_len = 0;
	vm.input_left = 0;
	gdb_stopped(session, &why);
	n = (size_t)snprintf(wanted, sizeof(wanted), "%s", framed("O7768790a", 9));
	snprintf(wanted + n, sizeof(wanted) - n, "%s%s", reply, REGS);
	snprintf(wanted + n, sizeof(wanted) - n, "%s", framed(wanted + n, strlen(wanted + n)));
	ck_assert_str_eq(output(), wanted);
}

START_TEST(stop_replies)
{
	set_reg(GR_EIP, 0x1000);
	set_reg(GR_ESP, 0x2000);
	set_reg(GR_EBP, 0x3000);
	ck_assert_str_eq(answer("?"), "T05" REGS);
	report(&(struct gdb_stop_info){ .why = GS_BREAK, .point = GP_SOFTWARE }, "T05" REGS);
	ask("qSupported:swbreak+;hwbreak+");
	report(&(struct gdb_stop_info){ .why = GS_INTERRUPT }, "T02" REGS);
	report(&(struct gdb_stop_info){ .why = GS_STEP }, "T05" REGS);
	report(&(struct gdb_stop_info){ .why = GS_BREAK, .point = GP_SOFTWARE }, "T05" REGS "swbreak:;");
	report(&(struct gdb_stop_info){ .why = GS_BREAK, .point = GP_HARDWARE }, "T05" REGS "hwbreak:;");
	report(&(struct gdb_stop_info){ .why = GS_WATCH, .point = GP_WRITE, .addr = 0xc0204000 },
	       "T05" REGS "watch:c0204000;");
	report(&(struct gdb_stop_info){ .why = GS_WATCH, .point = GP_READ, .addr = 0x10 },
	       "T05" REGS "rwatch:10;");
	report(&(struct gdb_stop_info){ .why = GS_WATCH, .point = GP_ACCESS, .addr = 0x10 },
	       "T05" REGS "awatch:10;");
	ck_assert_str_eq(answer("vCont;t"), "T05" REGS);
	report_death(ST_TRIPLE, "T0b");
	report_death(ST_LIMIT, "T04");
	report_death(ST_PANIC, "T06");
	report(&(struct gdb_stop_info){ .why = GS_ENDED, .status = 121 }, "W79");
}
END_TEST

/* Ctrl-C stops a guest that runs; one that has stopped already is not told. */
START_TEST(interrupt)
{
	ask("c");
	fake_running(session, &vm, "\003", 1);
	ck_assert_uint_eq(vm.interrupts, 1);
	ck_assert_str_eq(output(), "");
	fake_stopped(session, &vm, GS_INTERRUPT, "\003", 1);
	ck_assert_int_eq(strncmp(output(), "$T02", 4), 0);
	ck_assert_uint_eq(vm.interrupts, 1);
	ck_assert_str_eq(ask("qC"), "+$QC1#c5");
}
END_TEST

/* A packet that comes while the guest runs stops it, and is answered then. */
START_TEST(packet_while_running)
{
	ask("D");
	fake_running(session, &vm, "+$qC#b4$qC#b4", 13);
	ck_assert_uint_eq(vm.interrupts, 1);
	ck_assert_str_eq(output(), "");
	gdb_stopped(session, &(struct gdb_stop_info){ .why = GS_INTERRUPT });
	ck_assert_str_eq(output(), "+$QC1#c5+$QC1#c5");
}
END_TEST

START_TEST(detach)
{
	ck_assert_str_eq(ask("D"), "+$OK#9a");
	ck_assert_uint_eq(vm.removed_all, 1);
	ck_assert_uint_eq(vm.resumes, 1);
	ck_assert_int_eq(vm.how, GDB_CONTINUE);
	/* A stop that nobody waits for is not told. */
	fake_stopped(session, &vm, GS_BREAK, "", 0);
	ck_assert_str_eq(output(), "");
}
END_TEST

START_TEST(kill_packets)
{
	ck_assert_str_eq(ask("k"), "+");
	ck_assert_uint_eq(vm.quits, 1);
	ck_assert_str_eq(ask("vKill;1"), "+$OK#9a");
	ck_assert_uint_eq(vm.quits, 2);
}
END_TEST

/* Ten debuggers, one after the other; each finds the line as new. */
START_TEST(attach_again)
{
	for (unsigned i = 1; i <= 10; i++) {
		ck_assert_str_eq(ask("QStartNoAckMode"), "+$OK#9a");
		ask("c");
		vm.hung_up = true;
		fake_running(session, &vm, "$m", 2);
		ck_assert_uint_eq(vm.interrupts, 2 * i - 1);
		/* Nobody is there: it goes on, without points. */
		fake_stopped(session, &vm, GS_INTERRUPT, "", 0);
		ck_assert_uint_eq(vm.removed_all, i);
		ck_assert_uint_eq(vm.resumes, 2 * i);
		ck_assert_str_eq(output(), "");
		vm.hung_up = false;
		vm.joined = true;
		fake_running(session, &vm, "", 0);
		ck_assert_uint_eq(vm.interrupts, 2 * i);
	}
}
END_TEST

/* The client leaves, and the next comes, before the guest has stopped. */
START_TEST(changed_places)
{
	ask("c");
	vm.hung_up = true;
	fake_running(session, &vm, "", 0);
	vm.hung_up = false;
	vm.joined = true;
	fake_running(session, &vm, "", 0);
	fake_stopped(session, &vm, GS_INTERRUPT, "$qC#b4", 6);
	ck_assert_uint_eq(vm.removed_all, 1);
	ck_assert_str_eq(output(), "+$QC1#c5");
	ck_assert_uint_eq(vm.resumes, 1);
}
END_TEST

/* Without a debugger the first stop lasts only if that was asked for. */
START_TEST(wait_for_debugger)
{
	for (int wait = 0; wait <= 1; wait++) {
		gdb_close(&session);
		session = fake_session(&vm, wait);
		vm.joined = false;
		fake_stopped(session, &vm, GS_INTERRUPT, "", 0);
		ck_assert_uint_eq(vm.resumes, !wait);
	}
	vm.joined = true;
	ck_assert_str_eq(ask("c"), "+");
	ck_assert_uint_eq(vm.resumes, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gdb");
	TCase *tests = tcase_create("protocol");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, frames);
	tcase_add_test(tests, damage);
	tcase_add_test(tests, repeats);
	tcase_add_test(tests, no_acks);
	tcase_add_test(tests, sizes);
	tcase_add_test(tests, unknown_packets);
	tcase_add_test(tests, fixed_answers);
	tcase_add_test(tests, one_register);
	tcase_add_test(tests, bad_register);
	tcase_add_test(tests, all_registers);
	tcase_add_test(tests, memory_read);
	tcase_add_test(tests, memory_write);
	tcase_add_test(tests, points);
	tcase_add_test(tests, points_stay);
	tcase_add_test(tests, many_points);
	tcase_add_test(tests, target_description);
	tcase_add_test(tests, monitor);
	tcase_add_test(tests, monitor_output);
	tcase_add_test(tests, any_space);
	tcase_add_test(tests, resumes);
	tcase_add_test(tests, bad_resumes);
	tcase_add_test(tests, stop_replies);
	tcase_add_test(tests, interrupt);
	tcase_add_test(tests, packet_while_running);
	tcase_add_test(tests, detach);
	tcase_add_test(tests, kill_packets);
	tcase_add_test(tests, attach_again);
	tcase_add_test(tests, changed_places);
	tcase_add_test(tests, wait_for_debugger);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
