# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for culprit; a test holds it to the tables in src/cmd.

_culprit()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]} options i
	local commands="watch probe stack doctor help version"

	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$cur")
		return
	fi
	# after "--" stands somebody else's command line
	for ((i = 2; i < COMP_CWORD; i++)); do
		if [ "${COMP_WORDS[i]}" = -- ]; then
			if declare -F _command_offset >/dev/null; then
				_command_offset $((i + 1))
			elif [ $((i + 1)) -eq "$COMP_CWORD" ]; then
				mapfile -t COMPREPLY < <(compgen -c -- "$cur")
			else
				mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			fi
			return
		fi
	done
	case $prev in
	--stack)
		mapfile -t COMPREPLY < <(compgen -W "none kernel user both" -- "$cur")
		return
		;;
	-p | --pid)
		mapfile -t COMPREPLY < <(cd /proc && compgen -d -- "$cur" | grep '^[0-9]*$')
		return
		;;
	-o | --output | --debug | --exe | --sysroot)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--method)
		mapfile -t COMPREPLY < <(compgen -W "cfi exidx signal code lr fp bad-pc scan orc deduced" -- "$cur")
		return
		;;
	--max-rate)
		mapfile -t COMPREPLY < <(compgen -W "none" -- "$cur")
		return
		;;
	--count)
		# of probe, a flag too
		[ "$command" = probe ] || return
		;;
	--hist)
		mapfile -t COMPREPLY < <(compgen -W "dur" -- "$cur")
		return
		;;
	--cpu | --if | --expect | --for | --args | --depth | --slow | --by | --linear | --maxactive | --inject | --frames)
		return
		;;
	esac
	case $command in
	watch) options="--write --rw --exec --pid --kernel --cpu --if --expect --keep-going --for --count --stack --max-rate --partial --debug --json --output --help" ;;
	probe) options="--pid --kernel --cpu --if --args --depth --ret --diff --errors --slow --count --by --hist --linear --rate --stack --after --maxactive --inject --for --debug --json --output --help" ;;
	stack) options="--kernel --all-tasks --no-fold --frames --method --exe --sysroot --debug --folded --json --output --help" ;;
	doctor) options="--json --output --help" ;;
	help) options="$commands --help" ;;
	version) options="--help" ;;
	*) return ;;
	esac
	if [ "$command" = stack ] && [ "${cur#-}" = "$cur" ]; then
		mapfile -t COMPREPLY < <(
			cd /proc && compgen -d -- "$cur" | grep '^[0-9]*$'
		)
		mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
}
complete -F _culprit culprit
