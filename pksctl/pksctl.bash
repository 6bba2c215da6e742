# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Completion of pksctl for bash: /usr/share/bash-completion/completions/pksctl.
_pksctl() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
	case $before in
	--output) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
	--guests) mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
	--cases) return ;;
	esac
	if [ "$COMP_CWORD" = 1 ]; then
		words='status reload vm test --help --version'
	else
		case ${COMP_WORDS[1]} in
		status | reload) words=--json ;;
		vm) words='--once --monitor --json' ;;
		test) words='--output --guests --cases --json' ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _pksctl pksctl
