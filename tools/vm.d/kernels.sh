# SPDX-License-Identifier: GPL-2.0-or-later
# Which kernels there are and their place in the cache; Debian's own are fetched here. Sourced by tools/vm.
#
#   CACHE/kernels/NAME/KEY/     one kernel, complete once its file release is there
#   CACHE/kernels/NAME/current  the newest of Debian's; one built here is found by its config, so that
#                               checkouts with different ones do not take turns in building
#   CACHE/kernels/NAME/lock     held by whoever fetches or builds NAME
#
# A kernel's directory: vmlinuz, config, release (uname -r), version (of the package), lib/modules, headers,
# initrd-*.cpio, and where they exist System.map and vmlinux with DWARF.
# shellcheck shell=sh

kernel_names='debian-6.1 debian-6.12 debian-6.12-rt debug-6.12 debian-6.12-arm64'
kernel_default=debian-6.12

kernel_check_name() {
	case " $kernel_names " in
	*" $1 "*) ;;
	*)
		say "no kernel $1; there are: $kernel_names"
		exit 2
		;;
	esac
}

# Kernels of another architecture run in emulation, without headers, and only programs of that one run on them.
kernel_arch() { # NAME: as Debian calls it; nothing for this machine's
	case $1 in
	*-arm64) echo arm64 ;;
	esac
}

kernel_dir() { # NAME: where its complete directory is; fails when there is none
	case $1 in
	debug-*)
		found=
		for release in "$cache/kernels/$1"/*_"$(debug_config_key)"/release; do
			[ ! -e "$release" ] || found=${release%/release}
		done
		;;
	*) found=$cache/kernels/$1/current ;;
	esac
	[ -e "$found/release" ] && readlink -f "$found"
}

kernel_complete() { # NAME DIR VERSION RELEASE: now it counts
	echo "$3" >"$2/version"
	echo "$4" >"$2/release"
	ln -sfn "${2##*/}" "$cache/kernels/$1/new"
	mv -T "$cache/kernels/$1/new" "$cache/kernels/$1/current"
	find "$cache/kernels/$1" -mindepth 1 -maxdepth 1 -type d ! -path "$2" -mtime +30 -exec rm -rf {} +
}

debian_metapackage() { # NAME
	case $1 in
	debian-6.1) echo linux-image-amd64 ;;
	debian-6.12) echo linux-image-6.12-amd64 ;;
	debian-6.12-rt) echo linux-image-6.12-rt-amd64 ;;
	debian-6.12-arm64) echo linux-image-6.12-arm64 ;;
	esac
}

# The headers of a Debian kernel are three packages that find each other by absolute paths.
debian_headers() { # RELEASE
	echo "linux-headers-$1"
	package_depends "linux-headers-$1" | grep -E '^linux-(headers-.*-common|kbuild-)'
}

u32_at() { # FILE OFFSET: a little-endian number
	od -A n -t u4 -j "$2" -N 4 "$1" | tr -d ' '
}

# The kernel as linked, without symbols, out of a bzImage: Documentation/arch/x86/boot.rst of Linux says where
# (setup_sects at 0x1f1, payload_offset at 0x248, payload_length at 0x24c).
image_extract() { # BZIMAGE VMLINUX
	sectors=$(($(u32_at "$1" 496) >> 8 & 255))
	from=$(((sectors + 1) * 512 + $(u32_at "$1" 584)))
	tail -c +$((from + 1)) "$1" | head -c "$(u32_at "$1" 588)" >"$2.packed"
	# The length behind the packed kernel is not part of it and makes every unpacker grumble.
	case $(od -A n -t x1 -N 4 "$2.packed" | tr -d ' ') in
	fd377a58) xz -dc --single-stream "$2.packed" ;;
	28b52ffd) zstd -dcq "$2.packed" ;;
	1f8b*) gzip -dcq "$2.packed" ;;
	esac >"$2" 2>/dev/null || :
	rm "$2.packed"
	readelf -SW "$2" 2>/dev/null | grep -q ' \.BTF ' || {
		say "no types in $1: modules will be built without"
		rm "$2"
	}
}

# Older headers lack this tool of the build; it has work only where a module offers functions to BPF.
debian_btfids() { # DIR
	[ ! -e "$1/resolve_btfids" ] || return 0
	mkdir -p "$1"
	cat >"$1/resolve_btfids" <<-'END'
	#!/bin/sh
	for module; do :; done
	! readelf -SW "$module" | grep -q ' \.BTF_ids ' || {
		echo "$module has a .BTF_ids section, and there is no resolve_btfids for this kernel" >&2
		exit 1
	}
	END
	chmod +x "$1/resolve_btfids"
}

debian_lay_headers() { # DIR RELEASE
	ln -s "usr/src/linux-headers-$2" "$1/headers"
	sed -i "s,^include /usr/src/,include $1/usr/src/," "$1/headers/Makefile"
	# Absolute: the guest sees this directory as /lib/modules/RELEASE too.
	ln -sfn "$1/headers" "$1/lib/modules/$2/build"
	ln -sfn "$(sed -n 's,^include \(.*\)/Makefile$,\1,p' "$1/headers/Makefile")" "$1/lib/modules/$2/source"
	# Newer headers bring the kernel's types along, so that modules get theirs.
	[ -e "$1/headers/vmlinux" ] || image_extract "$1/vmlinuz" "$1/headers/vmlinux"
	debian_btfids "$1/headers/tools/bpf/resolve_btfids"
}

debian_unpack() { # DIR RELEASE
	for deb in "$1"/debs/*.deb; do
		dpkg -x "$deb" "$1" || die "cannot unpack $deb"
	done
	rm -rf "${1:?}/debs" "${1:?}/usr/share"
	if [ -d "$1/usr/lib/modules" ]; then
		mkdir -p "$1/lib"
		cp -a "$1/usr/lib/modules" "$1/lib/"
		rm -rf "$1/usr/lib/modules"
	fi
	ln -s "boot/vmlinuz-$2" "$1/vmlinuz"
	ln -s "boot/config-$2" "$1/config"
	# Debian ships the real one with the debug symbols and here a file that says so.
	grep -q 'real System.map' "$1/boot/System.map-$2" || ln -s "boot/System.map-$2" "$1/System.map"
	[ -n "$package_arch" ] || debian_lay_headers "$1" "$2"
	depmod -b "$1" "$2" || die "depmod failed for $2"
}

debian_fetch() { # NAME
	package_arch=$(kernel_arch "$1")
	meta=$(debian_metapackage "$1")
	packages_refresh "$meta"
	image=$(package_depends "$meta" | grep -m1 '^linux-image-')
	[ -n "$image" ] || die "cannot tell which kernel $meta stands for"
	release=${image#linux-image-}
	version=$(package_version "$image")
	dir=$cache/kernels/$1/$version
	[ "$(kernel_dir "$1")" = "$dir" ] && return
	say "fetching $1: Linux $release ($version)"
	rm -rf "$dir"
	mkdir -p "$dir/debs"
	# shellcheck disable=SC2046 # a list of words
	packages_download "$dir/debs" "$image" $([ -n "$package_arch" ] || debian_headers "$release")
	say "unpacking $1"
	debian_unpack "$dir" "$release"
	kernel_complete "$1" "$dir" "$version" "$release"
}

kernel_fetch() { # NAME: newest into the cache
	mkdir -p "$cache/kernels/$1"
	exec 9>"$cache/kernels/$1/lock"
	flock -n 9 || {
		say "waiting for another tools/vm that fetches $1"
		flock 9
	}
	case $1 in
	debug-*) debug_fetch "$1" ;;
	*) debian_fetch "$1" ;;
	esac
	exec 9>&-
}

kernel_want() { # NAME: fetched only when there is none
	kernel_dir "$1" >/dev/null || kernel_fetch "$1"
}

kernel_list() {
	for name in $kernel_names; do
		note=
		[ "$name" = "$kernel_default" ] && note=' (default)'
		state='not cached'
		! dir=$(kernel_dir "$name") ||
			state="Linux $(cat "$dir/release"), package $(cat "$dir/version")"
		printf '%-15s %s%s\n' "$name" "$state" "$note"
	done
}
