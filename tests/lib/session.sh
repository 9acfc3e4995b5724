# SPDX-License-Identifier: BSD-2-Clause
# Types into a guest's shell as a patient user would: each line when the
# prompt has come.  Used as
#
#	session LOG <COMMANDS | lilyvm run ... | tee LOG

prompt='root@lilyvm:[^#]*# '

# prompts LOG: how many prompts the guest has printed.
prompts()
{
	grep -aoE "$prompt" "$1" 2>/dev/null | wc -l
}

# session LOG: standard input, line by line; then, at one more prompt, the end
# of input (Ctrl-D), which ends the shell.  Gives up when LOG does not exist
# any more, or nothing comes for ${SESSION_PATIENCE:-120} seconds, times LILYVM_TEST_SLOW.
session()
{
	typed=0
	while IFS= read -r line || [ -n "$line" ]; do
		await_prompt "$1" $((typed + 1)) || return 1
		printf '%s\n' "$line"
		typed=$((typed + 1))
	done
	await_prompt "$1" $((typed + 1)) || return 1
	printf '\004'
}

# await_prompt LOG N: waits until N prompts have come.
await_prompt()
{
	tenths=$((${SESSION_PATIENCE:-120} * ${LILYVM_TEST_SLOW:-1} * 10))
	while [ "$(prompts "$1")" -lt "$2" ]; do
		tenths=$((tenths - 1))
		[ -e "$1" ] && [ $tenths -gt 0 ] || return 1
		sleep 0.1
	done
}
