/* SPDX-License-Identifier: BSD-2-Clause */
#include "rewriter/textword.h"

#include <string.h>

static const char prefixes[] = "rep repe repz repne repnz lock cs ds es fs gs ss "
	"data16 data32 addr16 addr32 word dword adword aword bnd notrack xacquire xrelease";

static unsigned hash(const char *s, size_t n)
{
	unsigned h = (unsigned)n;

	while (n--)
		h = h * 31 + ((unsigned char)*s++ | 0x20u);
	return h % TEXT_SLOTS;
}

static bool same(const char *lower, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (lower[i] != s[i] && !(s[i] >= 'A' && s[i] <= 'Z' && lower[i] == (s[i] | 0x20)))
			return false;
	return true;
}

static unsigned find_slot(const struct text_words *words, const char *s, size_t n)
{
	unsigned h = hash(s, n);

	for (; words->slot[h]; h = (h + 1) % TEXT_SLOTS) {
		const struct text_word *w = &words->word[words->slot[h] - 1];

		if (w->len == n && same(w->name, s, n))
			break;
	}
	return h;
}

/* Adds the words of a list that are not there yet. */
static void add_list(struct text_words *words, const char *list, struct text_word w)
{
	for (size_t n; *list; list += n + (list[n] == ' ')) {
		unsigned h;

		n = strcspn(list, " ");
		h = find_slot(words, list, n);
		if (words->slot[h] || words->count == TEXT_WORDS || n >= sizeof(w.name))
			continue;
		memset(w.name, 0, sizeof(w.name));
		memcpy(w.name, list, n);
		w.len = (uint8_t)n;
		words->word[words->count++] = w;
		words->slot[h] = (uint16_t)words->count;
	}
}

void text_words_make(struct text_words *words)
{
	memset(words, 0, sizeof(*words));
	for (unsigned k = 0; k < IK_COUNT; k++) {
		struct text_word w = { .type = TW_INSN, .kind = (uint8_t)k };

		w.form = (uint8_t)insn_kind_form(k);
		if (w.form == IF_KEEP)
			continue;
		add_list(words, insn_kind_mnemonics(k), w);
		add_list(words, insn_kind_att(k), w);
	}
	add_list(words, prefixes, (struct text_word){ .type = TW_PREFIX });
}

const struct text_word *text_word_find(const struct text_words *words, const char *s, size_t n)
{
	unsigned slot = words->slot[find_slot(words, s, n)];

	return slot ? &words->word[slot - 1] : NULL;
}

bool text_word_near(const struct text_word *w)
{
	return w->form == IF_FAR && w->name[0] != 'l';
}

bool text_word_starts(const struct text_words *words, const char *s, size_t n)
{
	for (unsigned i = 0; i < words->count; i++) {
		const struct text_word *w = &words->word[i];

		if (w->type == TW_INSN && w->len >= n && same(w->name, s, n) &&
		    !text_word_near(w))
			return true;
	}
	return false;
}
