#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What tools/vm promises, held against a guest of each kernel that is named (all cached ones by default).
#
#   tests/vm/selftest.sh [KERNEL...]
#
# Prints "ok - name" or "not ok - name" with what was seen, and fails when anything was not ok.
set -u

root=$(cd "$(dirname "$0")/../.." && pwd -P)
vm=$root/tools/vm
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
tests=0

ok() { # NAME STATUS: reports the test by the status of the condition before it
	tests=$((tests + 1))
	if [ "$2" = 0 ]; then
		echo "ok - $kernel: $1"
		return
	fi
	failed=$((failed + 1))
	echo "not ok - $kernel: $1"
	echo "# status $status"
	head -c 2000 "$work/out" 2>/dev/null | sed 's/^/# out: /' | tr -cd '[:print:]\n'
	head -c 4000 "$work/err" 2>/dev/null | sed 's/^/# err: /' | tr -cd '[:print:]\n'
}

in_guest() { # [OPTIONS] -- CMD...: leaves status, $work/out, $work/err
	status=0
	"$vm" run --kernel "$kernel" --timeout 120 "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
}

check() { # NAME CONDITION
	eval "$2"
	ok "$1" $?
}

same() { # FILE TEXT
	[ "$(cat "$1")" = "$2" ]
}

test_status() {
	in_guest -- true
	check 'status 0, and not a word besides' '[ $status = 0 ] && [ ! -s "$work/out" ] && [ ! -s "$work/err" ]'
	in_guest -- sh -c 'exit 7'
	check 'the status of the command' '[ $status = 7 ]'
	in_guest -- sh -c 'kill -SEGV $$'
	check 'a signal is 128+n' '[ $status = 139 ]'
	in_guest -- no-such-command
	check 'no such command is 127, and named' '[ $status = 127 ] && grep -q "no-such-command" "$work/err"'
	in_guest -- printf '%s|' 'a b' '' "it's" '"$x"' '*'
	check 'arguments arrive as they are' "same '$work/out' 'a b||it'\\''s|\"\$x\"|*|'"
}

test_output() {
	in_guest -- sh -c 'echo to out; echo to err >&2; echo "<0>to log" >/dev/kmsg; exit 3'
	check 'stdout alone' 'same "$work/out" "to out"'
	check 'stderr first, the log after it' '[ "$(head -n 1 "$work/err")" = "to err" ] && grep -q "^vm: | .*to log" "$work/err"'
	in_guest --log "$work/log" -- sh -c 'echo to err >&2; echo "<0>to log" >/dev/kmsg; exit 3'
	check '--log: the log is in the file' 'same "$work/err" "to err" && grep -q "to log" "$work/log"'
	dd if=/dev/urandom of="$work/bytes" bs=1000 count=1700 2>/dev/null
	status=0
	"$vm" run --kernel "$kernel" -- tee /dev/stderr <"$work/bytes" >"$work/out" 2>"$work/err" || status=$?
	cmp -s "$work/bytes" "$work/out" && cmp -s "$work/bytes" "$work/err"
	ok '1.7 MB of any bytes, in by stdin, out by both' $?
	in_guest -- sh -c 'seq 200000; echo end >&2'
	seq 200000 | cmp -s - "$work/out"
	ok 'a megabyte of lines, whole and in order' $?
}

test_live() {
	mkfifo "$work/live"
	"$vm" run --kernel "$kernel" -- sh -c 'echo now; sleep 600' >"$work/live" 2>/dev/null &
	guest=$!
	line=
	read -r line <"$work/live"
	kill $guest
	status=0
	wait $guest || status=$?
	check 'output is live; SIGTERM ends the guest' '[ "$line" = now ] && [ $status = 143 ]'
	rm "$work/live"
}

test_place() {
	here=$(pwd -P)
	cd "$root/tools" || exit
	CULPRIT_TEST_WORD='a  b' in_guest -- sh -c 'pwd; id -u; echo "$CULPRIT_TEST_WORD"; echo "${PATH%%:*}"; uname -r; nproc'
	cd "$here" || exit
	release=$(cat "$("$vm" path "$kernel")/release")
	check 'directory, root, environment, PATH, kernel, 2 CPUs' 'same "$work/out" "$root/tools
0
a  b
$root/build
$release
2"'
	mark=$root/vm-selftest-mark.$$
	in_guest -- sh -c "echo x >'$mark' && cat '$mark' && echo y >/etc/hostname && echo z >/tmp/z"
	check 'the guest writes anywhere, the host keeps nothing' '[ $status = 0 ] && same "$work/out" x && [ ! -e "$mark" ]'
	in_guest -- sh -c 'for d in debug/gpio debug/tracing tracing; do test -e /sys/kernel/$d || echo no $d; done
		test -e /sys/kernel/tracing/events/enable && test -e /sys/kernel/btf/vmlinux && test -c /dev/pts/ptmx &&
		grep -q " /sys/fs/bpf bpf " /proc/mounts && echo x | cat /dev/fd/0 && : >/dev/shm/x && cat /sys/class/net/lo/flags'
	check 'proc, sys, tracefs, bpffs, devpts, lo' '[ $status = 0 ] && grep -q "^0x9" "$work/out"'
	in_guest -- sh -c 'echo to >/dev/stdout; echo te >/dev/stderr'
	check '/dev/stdout and /dev/stderr open' '[ $status = 0 ] && same "$work/out" to'
}

test_kernel() {
	in_guest -- sh -c 'cd /sys/devices/system/cpu/cpu1 && echo 0 >online && nproc && echo 1 >online && nproc'
	check 'a CPU goes and comes back' '[ $status = 0 ] && same "$work/out" "1
2"'
	in_guest --smp 4 -- nproc
	check '--smp' 'same "$work/out" 4'
	in_guest --append 'culprit.word=1' -- cat /proc/cmdline
	check '--append' 'grep -q culprit.word=1 "$work/out"'
	case $kernel in
	debug-*) module=preemptirq_delay_test ;;
	*) module=dummy ;;
	esac
	in_guest -- sh -c "modprobe $module && grep -c '^$module ' /proc/modules && rmmod $module"
	check 'modprobe and rmmod' '[ $status = 0 ] && same "$work/out" 1'
}

test_out_of_tree() {
	mkdir "$work/module"
	cat >"$work/module/vmself.c" <<-'END'
	#include <linux/module.h>
	int vmself_value = 42;
	static int __init start(void)
	{
		pr_info("vmself: loaded\n");
		return 0;
	}
	static void __exit stop(void)
	{
	}
	module_init(start);
	module_exit(stop);
	MODULE_LICENSE("GPL");
	END
	echo 'obj-m := vmself.o' >"$work/module/Makefile"
	headers=$("$vm" path "$kernel")/headers
	status=0
	make -C "$headers" M="$work/module" modules >"$work/out" 2>"$work/err" || status=$?
	check 'a module builds against the headers, on the host' '[ $status = 0 ]'
	# The guest has a /tmp of its own: the module goes in by stdin.
	status=0
	"$vm" run --kernel "$kernel" -- sh -c 'cat >/tmp/vmself.ko && insmod /tmp/vmself.ko &&
		test -d "$(readlink -f /lib/modules/$(uname -r)/build)" && test -e /sys/kernel/btf/vmself && rmmod vmself' \
		<"$work/module/vmself.ko" >"$work/out" 2>"$work/err" || status=$?
	check 'it loads, with BTF, in the guest' '[ $status = 0 ]'
	rm -r "$work/module"
}

test_bad_ends() {
	in_guest -- sh -c 'echo before; sleep 1; echo c >/proc/sysrq-trigger; sleep 60'
	check 'a panic fails the run and is shown' '[ $status = 125 ] && grep -q "sysrq triggered crash" "$work/err" && same "$work/out" before'
	in_guest -- sh -c 'echo "<4>WARNING: CPU: 0 PID: 1 at nothing" >/dev/kmsg'
	check 'a complaint in the log fails a command that was content' '[ $status = 125 ] && grep -q "at nothing" "$work/err"'
	in_guest --allow 'at nothing' --allow other -- sh -c 'echo "<4>WARNING: CPU: 0 PID: 1 at nothing" >/dev/kmsg'
	check '--allow' '[ $status = 0 ]'
	in_guest -- sh -c 'echo o >/proc/sysrq-trigger; sleep 60'
	check 'a guest that switches itself off fails the run' '[ $status = 125 ]'
	status=0
	"$vm" run --kernel "$kernel" --timeout 20 -- sleep 60 >"$work/out" 2>"$work/err" || status=$?
	check 'out of time is 124' '[ $status = 124 ] && grep -q "did not end within 20 s" "$work/err"'
	"$vm" run --kernel "$kernel" -- sh -c "echo $$-up; sleep 600" >"$work/out" 2>"$work/err" &
	guest=$!
	n=0
	while ! grep -q up "$work/out" && [ $n -lt 300 ]; do
		sleep 0.1
		n=$((n + 1))
	done
	qemu=$(pgrep -P $guest)
	kill -KILL $guest
	wait $guest 2>/dev/null
	sleep 0.5
	# What nobody reaps is dead all the same.
	check 'QEMU does not outlive a killed tools/vm' '[ -n "$qemu" ] && ! grep -q "^State:[[:space:]][^ZX]" "/proc/$qemu/status" 2>/dev/null'
}

[ $# -gt 0 ] || for kernel in debian-6.1 debian-6.12 debian-6.12-rt debug-6.12; do
	"$vm" path $kernel >/dev/null 2>&1 && set -- "$@" $kernel
done
[ $# -gt 0 ] || {
	echo 'selftest: no kernel is cached; tools/vm fetch' >&2
	exit 1
}
for kernel; do
	# What is made once (a kernel, the initramfs, the answer about KVM) is announced once.
	"$vm" run --kernel "$kernel" -- true || exit
	test_status
	test_output
	test_live
	test_place
	test_kernel
	test_out_of_tree
	test_bad_ends
done
echo "# $tests tests, $failed failed"
[ $failed = 0 ]
