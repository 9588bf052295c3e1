# SPDX-License-Identifier: GPL-2.0-or-later
# Starts a guest: which accelerator, the machine, what the command gets to see. Sourced by tools/vm.
# shellcheck shell=sh

# /dev/kvm may be there and no guest get anywhere with it: believe it only after a guest has run a command.
# The answer holds until this machine boots again.
accel_want() { # prints kvm or tcg
	if [ -n "$arch" ]; then
		echo tcg
		return
	fi
	if [ -n "${CULPRIT_VM_ACCEL-}" ]; then
		echo "$CULPRIT_VM_ACCEL"
		return
	fi
	if [ ! -w /dev/kvm ]; then
		echo tcg
		return
	fi
	answer=$cache/accel-$(cat /proc/sys/kernel/random/boot_id)
	if [ ! -e "$answer" ]; then
		say 'trying whether KVM works here (once per boot)'
		rm -f "$cache"/accel-*
		probe=tcg
		(
			accel=kvm timeout=15 verbose='' keep_log='' interactive='' allow='.*'
			run_guest true
		) >/dev/null 2>&1 </dev/null && probe=kvm
		echo $probe >"$answer.$$"
		mv "$answer.$$" "$answer"
	fi
	cat "$answer"
}

# The kernel's log goes to the first serial port from the first line on; --append comes last and wins.
# What stands here is about the emulated machine: timers that need no proof, a delay loop that need not be
# measured, no workarounds for flaws of CPUs, no self-tests of ciphers, and patience where a host is busy.
kernel_arguments() {
	case $arch in
	arm64) machine_arguments='console=ttyAMA0' ;;
	*) machine_arguments='console=ttyS0 tsc=reliable no_timer_check' ;;
	esac
	echo "$machine_arguments loglevel=5 panic=-1 mitigations=off lpj=10000000" \
		"cryptomgr.notests rcupdate.rcu_cpu_stall_timeout=60 $append"
}

# QEMU and its machine: words without spaces.
machine_want() {
	case $arch in
	# Return addresses are signed by a cheap function: the architecture's own is slow to emulate.
	arm64) echo qemu-system-aarch64 -M virt -accel tcg,thread=multi -cpu max,pauth-impdef=on ;;
	*)
		case $accel in
		kvm) set -- kvm host ;;
		# A nanosecond an instruction, and none while it waits: the host's pace and load do not matter.
		icount) set -- tcg,thread=single max,la57=off -icount shift=0,sleep=off ;;
		# Five levels of page tables cost a seventh of the boot in emulation, and no guest has the memory.
		*) set -- tcg,thread=multi max,la57=off ;;
		esac
		accelerator=$1 cpu=$2
		shift 2
		echo qemu-system-x86_64 -M "${CULPRIT_VM_MACHINE:-q35}" -accel "$accelerator" -cpu "$cpu" "$@"
		;;
	esac
}

# Does not return: tools/vm becomes the host's end of the guest, so that whoever kills it, kills the guest.
run_guest() { # CMD...
	scratch=$(mktemp -d "${TMPDIR:-/tmp}/culprit-vm.XXXXXX") || die 'no temporary directory'
	path=$top/build${arch:+-$arch}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	if [ -n "$gdb_serial" ]; then
		second=socket,id=second,path=$gdb_serial,server=on,wait=off
	else
		second=null,id=second
	fi

	set -- -- "$@"
	[ -n "$arch" ] || set -- -chardev "$second" -serial chardev:second "$@"
	set -- -chardev "file,id=log,path=$scratch/kernel.log" -serial chardev:log "$@"
	set -- -device virtserialport,nr=1,chardev=link,name=culprit "$@"
	set -- -device virtio-serial-pci,max_ports=2 -chardev socket,id=link,fd=3 "$@"
	set -- -device virtio-9p-pci,fsdev=root,mount_tag=hostroot "$@"
	set -- -fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap "$@"
	set -- -kernel "$kernel/vmlinuz" -initrd "$image" -append "$(kernel_arguments)" "$@"
	set -- -nodefaults -no-user-config -display none -no-reboot -nic none "$@"
	# shellcheck disable=SC2046 # words
	set -- $(machine_want) -smp "$smp" -m "$mem" "$@"

	set -- -k "$kernel" -c "$cwd" -d "$scratch" -s "$timeout" -- "$@"
	set -- -e "PATH=$path" -e "HOME=$(getent passwd 0 | cut -d: -f6)" -e "TERM=${TERM:-dumb}" -e "LANG=${LANG:-C.UTF-8}" -e USER=root "$@"
	for name in $(env | sed -n 's/^\(CULPRIT_[A-Za-z0-9_]*\)=.*/\1/p'); do
		eval "value=\$$name"
		set -- -e "$name=$value" "$@"
	done
	[ -z "$verbose" ] || set -- -v "$@"
	[ -z "$interactive" ] || set -- -i "$@"
	[ -z "$keep_log" ] || set -- -l "$keep_log" "$@"
	while [ -n "$allow" ]; do
		set -- -a "${allow%%
*}" "$@"
		case $allow in
		*"
"*) allow=${allow#*
} ;;
		*) allow= ;;
		esac
	done
	exec "$programs/host" "$@"
}
