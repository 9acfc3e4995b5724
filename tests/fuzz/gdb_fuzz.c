/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes the debugger's protocol: the first byte says how the line cuts what
 * follows, and whether the guest runs at first; the rest comes from the client.
 * After it the session must still answer.
 *
 *	gdb_fuzz [COUNT [SEED]]	COUNT inputs made from the corpus below
 *
 * With clang -fsanitize=fuzzer -DLIBFUZZER it is a libFuzzer target.
 */
#include "../unit/fakegdb.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Goes on until all input has been taken: the guest stops again at once. */
static void play(struct gdb *g, struct vm *vm, const uint8_t *data, size_t size, bool running)
{
	unsigned stops = 0;

	if (running)
		fake_running(g, vm, data, size);
	else
		fake_stopped(g, vm, GS_INTERRUPT, data, size);
	while (vm->input_left) {
		const struct gdb_stop_info why = {
			.why = GS_INTERRUPT + stops % 5, .point = stops / 5 % 5, .addr = stops,
			.status = ST_TRIPLE, .reason = "a reason\n",
		};

		if (++stops > 2 * size + 2)
			abort();
		vm->output_len = 0;
		gdb_stopped(g, &why);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* At first what ends a packet that the input has begun: no checksum. */
	static const char probe[] = "#zz$vMustReplyEmpty#3a";
	static struct vm vm;
	struct gdb *g = fake_session(&vm, false);

	vm.answer = 100;
	if (size) {
		vm.chunk = data[0] & 0x7f;
		play(g, &vm, data + 1, size - 1, data[0] & 0x80);
	}
	play(g, &vm, (const uint8_t *)probe, sizeof(probe) - 1, false);
	if (vm.output_len < 4 || memcmp(vm.output + vm.output_len - 4, "$#00", 4))
		abort();
	gdb_close(&g);
	return 0;
}

#ifndef LIBFUZZER
static const char *const corpus[] = {
	"qSupported:multiprocess+;swbreak+;hwbreak+", "vMustReplyEmpty", "QStartNoAckMode", "Hg0",
	"qXfer:features:read:target.xml:0,ffb", "qXfer:features:read:lilyvm-system.xml:40,20",
	"qTStatus", "?", "qfThreadInfo", "qsThreadInfo", "qAttached", "Hc-1", "qC", "g", "p29",
	"P8=00001000", "m1000,40", "M1000,4:01020304", "X1000,3:abc", "Z0,c0100000,1",
	"z0,c0100000,1", "Z2,1000,4", "vCont?", "vCont;s:1;c", "vCont;r1000,1010:1", "vCont;C05:1",
	"vCont;t", "c", "s1000", "C05;1000", "D", "T1", "qRcmd,68656c70",
	"qRcmd,616e792d7370616365206f6e", "\x03", "+", "-", "vKill;1", "k",
};
#define WORDS (sizeof(corpus) / sizeof(corpus[0]))

static uint32_t next(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x >> 4;
}

/* A word of the corpus as a packet, changed a little one time in two. */
static size_t put_packet(uint8_t *to, uint32_t *x)
{
	const char *word = corpus[next(x) % WORDS];
	size_t n = strlen(word);
	uint8_t sum = 0;

	if (strchr("\x03+-", word[0])) {
		to[0] = (uint8_t)word[0];
		return 1;
	}
	to[0] = '$';
	memcpy(to + 1, word, n);
	for (unsigned changes = next(x) % 4; changes > 1; changes--)
		to[1 + next(x) % n] = next(x) % 3 ? (uint8_t)"0123456789abcdef,:;=}*-"[next(x) % 23] :
						    (uint8_t)next(x);
	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + to[1 + i]);
	to[1 + n] = '#';
	to[2 + n] = (uint8_t)"0123456789abcdef"[sum >> 4];
	to[3 + n] = (uint8_t)"0123456789abcdef"[sum & 15];
	return n + 4;
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 0) : 2000;
	uint32_t x = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) | 1 : 1;
	uint8_t data[512];

	while (count--) {
		size_t n = 1;

		data[0] = (uint8_t)next(&x);
		while (n < sizeof(data) - 80 && next(&x) % 8)
			n += put_packet(data + n, &x);
		/* Damage on the line. */
		for (unsigned k = next(&x) % 4; k > 2; k--)
			data[next(&x) % n] = (uint8_t)next(&x);
		LLVMFuzzerTestOneInput(data, n);
	}
	return 0;
}
#endif
