# SPDX-License-Identifier: BSD-2-Clause
# gdb on a machine of vm.sh.  Needs `work`; the output is in $work/gdb.

gdb_socket=$work/socket

# debug_start [OPTION...] KERNEL: a machine that waits for gdb.
debug_start()
{
	vm_start -m 64 --reboot exit --gdb "unix:$gdb_socket" --gdb-wait "$@"
	gdb_await_socket
}

gdb_await_socket()
{
	tenths=100
	until [ -S "$gdb_socket" ] || [ $tenths -eq 0 ]; do
		tenths=$((tenths - 1))
		sleep 0.1
	done
}

# gdb_run [KERNEL]: runs the commands on standard input in gdb.
gdb_run()
{
	cat >"$work/script"
	timeout -k 5 60 gdb -q -nx -batch -iex 'set pagination off' -iex 'set confirm off' \
		-iex 'set architecture i386' -ex "target remote $gdb_socket" -x "$work/script" \
		"$@" >"$work/gdb" 2>&1 </dev/null || echo "# gdb: status $?" >>"$work/gdb"
}

# gdb_interrupted [KERNEL]: the same; Ctrl-C is pressed a while after "goes on".
gdb_interrupted()
{
	cat >"$work/script"
	: >"$work/gdb"
	gdb -q -nx -batch -iex 'set pagination off' -iex 'set confirm off' \
		-iex 'set architecture i386' -ex "target remote $gdb_socket" -x "$work/script" \
		"$@" >"$work/gdb" 2>&1 </dev/null &
	gdb_pid=$!
	tenths=200
	until grep -q '^goes on' "$work/gdb" || [ $tenths -eq 0 ]; do
		tenths=$((tenths - 1))
		sleep 0.1
	done
	sleep 0.5
	kill -INT $gdb_pid
	while kill -0 $gdb_pid 2>/dev/null; do
		tenths=$((tenths - 1))
		[ $tenths -gt -300 ] || kill -9 $gdb_pid
		sleep 0.1
	done
	wait $gdb_pid
}
