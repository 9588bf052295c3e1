# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's packages that are unpacked and never installed, of another architecture, too. Sourced by tools/vm and
# tools/build; what is kept is in the cache.
#
#   package_arch=arm64      the packages of that architecture; empty: of this machine's
#   CACHE/apt-ARCH/         what apt knows of them: this machine's own lists stay as they are
# shellcheck shell=sh

cache=${CULPRIT_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/culprit}
package_arch=

say() {
	echo "${0##*/}: $*" >&2
}

die() {
	say "$*"
	exit 125
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		say "need root for: $*"
		return 1
	fi
}

apt() { # TOOL ARGS...: apt-get or apt-cache, by the lists of the architecture
	tool=$1
	shift
	if [ -n "$package_arch" ]; then
		own=$cache/apt-$package_arch
		mkdir -p "$own/lists/partial" "$own/files/archives/partial"
		set -- -o APT::Architecture="$package_arch" -o APT::Architectures="$package_arch" \
			-o Dir::State::Lists="$own/lists" -o Dir::State::Status=/dev/null -o Dir::Cache="$own/files" "$@"
	fi
	# Files that a cache keeps for root are not readable by apt's own user; that is only a warning.
	"$tool" -o APT::Sandbox::User="$(id -un)" "$@"
}

lists_refresh() {
	say "refreshing the package lists${package_arch:+ of $package_arch}"
	if [ -z "$package_arch" ]; then
		as_root apt-get update -q >/dev/null
		return
	fi
	mkdir -p "$cache"
	(
		flock 8
		apt apt-get update -q >/dev/null
	) 8>"$cache/apt-$package_arch.lock"
}

package_depends() { # PACKAGE: names it depends on, first of each alternative
	apt apt-cache depends "$1" 2>/dev/null | sed -n 's/^ *|\{0,1\}Depends: \([^<]*\)$/\1/p'
}

package_version() {
	apt apt-cache show --no-all-versions "$1" 2>/dev/null | sed -n 's/^Version: //p'
}

packages_refresh() { # PACKAGE: make sure that the package lists know it
	[ -n "$(package_version "$1")" ] && return
	lists_refresh || die "apt-get update failed; the package $1 is not known here"
	[ -n "$(package_version "$1")" ] || die "no package $1: is this Debian 12 with its security updates?"
}

packages_download() { # DIR PACKAGE...: the .deb files, nothing installed
	(
		cd "$1" && shift
		apt apt-get download -q "$@" >download.log 2>&1 || {
			# Lists that are older than the archive name files that are gone.
			lists_refresh && apt apt-get download -q "$@" >download.log 2>&1
		} || {
			tail -n 5 download.log >&2
			exit 1
		}
	) || die "cannot download $*"
}
