# SPDX-License-Identifier: GPL-2.0-or-later
# The host's end of a guest (host.c) and the initramfs, of one program (guest.c), that brings it up. Sourced by tools/vm.
# shellcheck shell=sh

programs_key() {
	cat "$parts"/*.[ch] | sha256sum | cut -c1-12
}

compile() { # COMPILER ARGS...
	compiler=$1
	shift
	"$compiler" -std=gnu11 -Wall -Wextra -Wshadow -Wno-unused-result "$@" ||
		die "cannot compile the programs of the guest (tools/deps installs a compiler)"
}

programs_want() { # prints the directory that holds them
	dir=$cache/programs/$(programs_key)
	if [ ! -d "$dir" ]; then
		mkdir -p "$cache/programs"
		new=$(mktemp -d "$cache/programs/new.XXXXXX")
		compile "${CC:-cc}" -O2 -o "$new/host" "$parts/host.c" "$parts/log.c"
		# Whoever comes second finds the name taken by the same programs.
		mv -T "$new" "$dir" 2>/dev/null || rm -rf "$new"
	fi
	echo "$dir"
}

# In the order in which they load; nothing for what is built in.
image_modules() { # DIR RELEASE
	for m in virtio_pci virtio_console 9pnet_virtio 9p overlay; do
		modprobe -d "$1" -S "$2" --show-depends "$m" || die "the kernel $2 has no $m"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

image_compiler() {
	case $arch in
	arm64) echo aarch64-linux-gnu-gcc ;;
	*) echo "${CC:-cc}" ;;
	esac
}

image_build() { # DIR IMAGE
	tree=$(mktemp -d "$1/new.XXXXXX")
	mkdir "$tree/modules"
	compile "$(image_compiler)" -Os -s -static -o "$tree/init" "$parts/guest.c"
	for path in $(image_modules "$1" "$(cat "$1/release")"); do
		name=${path##*/}
		case $name in
		*.xz) xz -dc "$path" >"$tree/modules/${name%.xz}" ;;
		*) cp "$path" "$tree/modules/$name" ;;
		esac || die "cannot take $path into the initramfs"
		echo "${name%.xz}" >>"$tree/modules/order"
	done
	(cd "$tree" && find . | cpio -o -H newc -R 0:0 --quiet) >"$tree.cpio" || die "cannot write the initramfs"
	mv "$tree.cpio" "$2"
	rm -rf "$tree"
	find "$1" -maxdepth 1 -name 'initrd-*.cpio' -mtime +30 -delete
}

image_want() { # DIR PROGRAMS: prints the initramfs
	image=$1/initrd-${2##*/}.cpio
	[ -e "$image" ] || image_build "$1" "$image"
	echo "$image"
}
