# SPDX-License-Identifier: BSD-2-Clause
# One virtual machine at a time in the background, with a keyboard that stays
# connected.  Needs tap.sh and `work`, a directory of the test's own.  Ends the script
# where no guest can run.
#
#	vm_start [-m 512 ...] KERNEL [DISK...]
#	vm_await REGEX [SECONDS] && vm_type 'ls'
#	vm_wait; echo $vm_status

host_runs_guests || { rm -rf "$work"; trap - EXIT; skip_all "$no_guests"; }

vm_pid=
vm_log=$work/vm.log		# the guest's output
vm_err=$work/vm.err		# the monitor's messages

# vm_start ARGUMENT...: `lilyvm run ARGUMENT...`; vm_wrap may hold a command that
# is put in front, and vm_options what every machine of a script has.
vm_start()
{
	rm -f "$work/keys"
	mkfifo "$work/keys"
	: >"$vm_log"
	# shellcheck disable=SC2086 # words are meant
	${vm_wrap-} "$LILYVM" run ${vm_options-} "$@" <"$work/keys" >"$vm_log" 2>"$vm_err" &
	vm_pid=$!
	exec 9>"$work/keys"
}

# vm_debian [OPTION...]: the Debian guest; its disk is $vm_disk.
vm_debian()
{
	vm_start --initrd "$LILYVM_IMAGES/initrd" \
		--append "console=ttyS0 quiet panic=-1 ${vm_append-}" "$@" \
		--disk "${vm_disk-$LILYVM_IMAGES/root.img,snapshot}" "$LILYVM_IMAGES/vmlinuz"
}

vm_alive()
{
	# A process that has ended but was not waited for is a zombie.
	case $(sed 's/.*) \(.\).*/\1/' "/proc/$vm_pid/stat" 2>/dev/null) in
	'' | Z) return 1 ;;
	esac
}

# vm_await REGEX [SECONDS]: until the output has a line that matches.
vm_await()
{
	tenths=$(($(seconds "${2-60}") * 10))
	until grep -aqE -e "$1" "$vm_log"; do
		tenths=$((tenths - 1))
		vm_alive && [ $tenths -gt 0 ] || { grep -aqE -e "$1" "$vm_log"; return; }
		sleep 0.1
	done
}

vm_prompt()
{
	vm_await 'root@lilyvm:[^#]*#' "${1-60}"
}

# vm_keys FORMAT [ARGUMENT]: keys, as printf writes them.  A machine that has ended
# reads none: what the test asks next tells.
vm_keys()
{
	# shellcheck disable=SC2059 # a format is meant
	(trap '' PIPE; printf "$@" >&9) 2>/dev/null
}

# vm_type TEXT: a line for the guest's shell.
vm_type()
{
	vm_keys '%s\n' "$1"
}

# vm_wait [SECONDS]: until the machine has ended; its status is vm_status, or
# "hangs", and then it is killed.
vm_wait()
{
	tenths=$(($(seconds "${1-30}") * 10))
	vm_status=
	while vm_alive; do
		tenths=$((tenths - 1))
		[ $tenths -gt 0 ] || { vm_status=hangs; kill -9 "$vm_pid"; }
		sleep 0.1
	done
	wait "$vm_pid"
	set -- $?
	vm_status=${vm_status:-$1}
	exec 9>&-
	vm_pid=
}

vm_stop()
{
	[ -z "$vm_pid" ] || { kill -9 "$vm_pid" 2>/dev/null; vm_wait; }
}
