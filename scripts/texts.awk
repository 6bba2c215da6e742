# SPDX-License-Identifier: GPL-2.0-only
# Cuts kernel files into their top-level texts: functions, types, tables, macros.
#
#   awk -f texts.awk -v want=NAME,NAME FILE...   prints "FILE START END NAME" of each
#       definition of a NAME: its lines, and those above it that belong to no other
#   awk -f texts.awk -v names=LIST -v dir=DIR FILE...   writes each definition of a
#       name in the file LIST to DIR/NAME, comments and white space apart, and as it
#       stands to DIR/NAME.c
#
# The kernel's own style does the parsing: what ends in column 1 ends a text.

BEGIN {
	n = split(want, list, ",")
	for (i = 1; i <= n; i++)
		wanted[list[i]] = 1
	while (names != "" && (getline line < names) > 0)
		wanted[line] = 1
}

FNR == 1 { reset(); comment = 0; start = 1 }

# strip: the line without comments; one may go on to later lines.
function strip(line,   out, at) {
	out = ""
	while (line != "") {
		if (comment) {
			at = index(line, "*/")
			if (!at)
				return out
			line = substr(line, at + 2)
			comment = 0
		}
		at = match(line, /\/\*|\/\//)
		if (!at)
			return out line
		out = out substr(line, 1, at - 1)
		if (substr(line, at, 2) == "//")
			return out
		line = substr(line, at + 2)
		comment = 1
	}
	return out
}

function reset() {
	text = raw = ""
	depth = 0
	macro = 0
}

# name_of: what a text defines.
function name_of(t,   word) {
	if (t ~ /^[ \t]*#/) {
		sub(/^[ \t]*#[ \t]*define[ \t]+/, "", t)
		match(t, /^[A-Za-z0-9_]+/)
		return substr(t, 1, RLENGTH)
	}
	if (t ~ /^(struct|union|enum)[ \t]+[A-Za-z0-9_]+[ \t]*\{/) {
		split(t, word, /[ \t{]+/)
		return word[2]
	}
	# A paging template's functions are named by a macro.
	if (match(t, /FNAME\([a-z0-9_]+\)/))
		return substr(t, RSTART + 6, RLENGTH - 7)
	sub(/[=[;({].*/, "", t)
	sub(/[ \t]+(__initdata|__read_mostly|__ro_after_init)?[ \t]*$/, "", t)
	match(t, /[A-Za-z0-9_]+$/)
	return RSTART ? substr(t, RSTART) : ""
}

function finish(   name, plain) {
	name = name_of(text)
	# A declaration defines nothing.
	if (name in wanted && (text ~ /^[ \t]*#/ || text ~ /[{=]/)) {
		if (dir != "") {
			plain = text
			gsub(/[ \t\\]/, "", plain)
			print plain >(dir "/" name)
			printf "%s", raw >(dir "/" name ".c")
		} else {
			print FILENAME, start, FNR, name
		}
	}
	start = FNR + 1
	reset()
}

{
	code = strip($0)
	sub(/[ \t]+$/, "", code)
	if (text == "" && !macro) {
		if (code ~ /^[ \t]*$/ || code ~ /^[ \t]*#/ && code !~ /^[ \t]*#[ \t]*define/)
			next
		macro = code ~ /^[ \t]*#/
	}
	text = text code " "
	if (dir != "")
		raw = raw $0 "\n"
	if (macro) {
		if (code !~ /\\$/)
			finish()
		next
	}
	gsub(/"([^"\\]|\\.)*"|'([^'\\]|\\.)*'/, "", code)
	depth += gsub(/\{/, "{", code) - gsub(/\}/, "}", code)
	# A macro that defines something may stand alone, without a semicolon.
	if ((/^\}/ && !/^\} while/) || (depth <= 0 && (code ~ /[;}]$/ || text ~ /^[A-Z_]+\([^()]*\) $/)))
		finish()
}
