# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the debug kernel from Debian's source package and debug.config. Sourced by tools/vm.
# shellcheck shell=sh

debug_config_key() {
	grep -E '^(# )?CONFIG_' "$parts/debug.config" | sha256sum | cut -c1-12
}

# An option that another one switches off would make tests pass for the wrong reason: check every line.
debug_check_config() { # CONFIG
	awk '
		NR == FNR { have[$0] = 1; next }
		/^CONFIG_/ && !($0 in have) { print; bad = 1 }
		/^# CONFIG_.* is not set$/ {
			# An option whose menu is closed has no line at all: that is fine.
			name = $2
			for (line in have)
				if (index(line, name "=") == 1) { print; bad = 1 }
		}
		END { exit bad }' "$1" "$parts/debug.config" >&2
}

debug_unpack() { # DIR PACKAGE
	say "unpacking the source of $2"
	dpkg-deb --fsys-tarfile "$1"/debs/*.deb | tar -xO "./usr/src/$2.tar.xz" |
		tar -xJ -C "$1" --exclude='*/Documentation/translations' --exclude='*/Documentation/devicetree' \
			--exclude='*.dts' --exclude='*.dtsi' || die "cannot unpack $2"
	mv "$1/$2" "$1/headers"
	rm -rf "$1/debs"
}

debug_report() { # LOG: a line now and then until this tools/vm is gone
	began=$(date +%s)
	while sleep 15 && kill -0 $$ 2>/dev/null; do
		say "compiling: $(grep -c ' CC ' "$1") files, $(($(date +%s) - began)) s"
	done
}

debug_compile() { # DIR
	log=$1/build.log
	jobs=$(nproc)
	make -s -C "$1/headers" KCONFIG_ALLCONFIG="$parts/debug.config" allnoconfig >"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		die 'the debug kernel cannot be configured'
	}
	debug_check_config "$1/headers/.config" ||
		die 'the lines above did not end up in .config as debug.config asks'
	say "compiling (about 7 minutes on 2 CPUs; $log)"
	began=$(date +%s)
	debug_report "$log" 9>&- &
	reporter=$!
	failed=
	# A make that is ended leaves the makes below it running. So: a session of its own, ended as a whole,
	# when this shell is told to stop and when it is gone without a word.
	# shellcheck disable=SC2016 # for the inner shell
	setpriv --pdeathsig TERM setsid sh -c '
		trap "trap - TERM; kill 0" TERM
		"$@" &
		wait $!' compile nice make -C "$1/headers" -j"$jobs" bzImage modules >>"$log" 2>&1 &
	compiler=$!
	trap 'kill $compiler; exit 130' INT
	trap 'kill $compiler; exit 143' TERM HUP
	wait $compiler || failed=y
	trap - INT TERM HUP
	kill $reporter
	[ -z "$failed" ] || {
		tail -n 20 "$log" >&2
		die "the debug kernel does not build; see $log"
	}
	say "compiled in $(($(date +%s) - began)) s"
}

# What is left builds modules outside of the tree: headers, scripts, objtool, symbol versions, vmlinux for BTF.
debug_prune() { # HEADERS
	(
		cd "$1" || exit
		for d in Documentation LICENSES block certs crypto drivers fs init io_uring ipc kernel lib mm net rust \
			samples security sound usr virt arch/x86/boot arch/x86/kvm; do
			rm -rf "$d"
		done
		find arch -mindepth 1 -maxdepth 1 ! -name x86 -exec rm -rf {} +
		find tools -mindepth 1 -maxdepth 1 ! -name include ! -name objtool ! -name bpf ! -name lib \
			! -name scripts ! -name build ! -name arch -exec rm -rf {} +
		find . -name '.*.cmd' -delete
		find arch tools \( -name '*.o' -o -name '*.a' -o -name '*.c' -o -name '*.S' \) -delete
		find . -maxdepth 1 -name '*.o' -delete
		find . -maxdepth 1 -name '.tmp*' -delete
		rm -f vmlinux.a
	)
}

debug_install() { # DIR
	release=$(cat "$1/headers/include/config/kernel.release")
	make -s -C "$1/headers" INSTALL_MOD_PATH="$1" modules_install >>"$1/build.log" 2>&1 ||
		die "cannot install the modules; see $1/build.log"
	ln -sfn "$1/headers" "$1/lib/modules/$release/build"
	rm -f "$1/lib/modules/$release/source"
	cp "$1/headers/arch/x86/boot/bzImage" "$1/vmlinuz"
	cp "$1/headers/.config" "$1/config"
	ln -s headers/System.map "$1/System.map"
	ln -s headers/vmlinux "$1/vmlinux"
	debug_prune "$1/headers"
}

debug_fetch() { # NAME
	package=linux-source-${1#debug-}
	packages_refresh "$package"
	version=$(package_version "$package")
	dir=$cache/kernels/$1/${version}_$(debug_config_key)
	[ "$(kernel_dir "$1")" = "$dir" ] && return
	say "building $1 from $package ($version)"
	rm -rf "$dir"
	mkdir -p "$dir/debs"
	packages_download "$dir/debs" "$package"
	debug_unpack "$dir" "$package"
	debug_compile "$dir"
	debug_install "$dir"
	kernel_complete "$1" "$dir" "$version" "$release"
}
