# SPDX-License-Identifier: GPL-2.0-only
# From executed addresses to lines:
#
#   awk -f lines.awk -v tree=TREE -v out=DIR OURS REASONS PLACES CODE...
#
# OURS has "PATH kvm/FILE" for each of our files in the tree, "PATH NUMBER" for each
# line of ours in another; PLACES is from places.c, CODE what objdump -dlw --inlines
# says of the modules laid out at these addresses. REASONS, see there.
#
# A line has code if an instruction is its own or that of a function inlined there;
# it is reached if one of these is. A branch is one of the two outcomes of a
# conditional jump; the line is the jump's own.
#
# Writes to DIR:
#   summary    FILE LINES_REACHED LINES BRANCHES_REACHED BRANCHES: our files, our lines in
#              others ("hooks"), and the kernel's files
#   missed     what of ours is not reached, with its reason
#   nocode     statements of ours without an instruction: the compiler has no need of
#              them, or has put them into others
#   functions  FILE FUNCTION LINES_NOT_REACHED LINES, those with the most first; a + at the
#              end if lines of ours are in it, or it is ours
#   info       all of it, for genhtml of lcov
# Exit status 1 if a reason is missing, or none is needed where there is one; 2 if
# what was executed is not this code: then there is no summary.

FILENAME == ARGV[1] {
	if ($2 ~ /^[0-9]+$/)
		hook[$1, $2] = 1
	else
		name[$1] = $2
	next
}
FILENAME == ARGV[2] {
	if (!/^#/ && NF)
		reason_line[++reasons] = $0
	next
}
FILENAME == ARGV[3] {
	seen[$1, $2] = 1
	executed += $1 == "r"
	next
}

# path_of: the tree's path of a file as the compiler knew it; none of other headers.
function path_of(p,   q) {
	if (!(p in paths)) {
		q = p
		if (q ~ /\/linux-headers-/ || !sub(/^.*\/virt\/kvm\//, "virt/kvm/", q) && !sub(/^.*\/arch\/x86\//, "arch/x86/", q))
			q = ""
		while (sub(/[^\/]+\/\.\.\//, "", q))
			;
		paths[p] = q
	}
	return paths[p]
}

# place: sets file and line from "PATH:LINE..."; 0 if it is none that counts.
function place(text,   at) {
	sub(/ \(.*/, "", text)
	at = match(text, /:[0-9]+$/)
	file = at ? path_of(substr(text, 1, at - 1)) : ""
	line = substr(text, at + 1) + 0
	return file != "" && line > 0
}

function has_code(file, line, reached) {
	hits[file, line] += reached
}

/^[0-9a-f]+ <.*>:$/ { symbol = substr($2, 2, length($2) - 3); chain = 0; here = ""; next }
/^inlined by / { above[++chain] = substr($0, 12); next }
/^\// { here = $0; next }
/^ +[0-9a-f]+:\t/ {
	address = substr($1, 1, length($1) - 1)
	reached = ("r", address) in seen
	begun += reached
	if (symbol !~ /^__pfx_/) {
		for (; chain; chain--)
			if (place(above[chain]))
				has_code(file, line, reached)
		if (place(here)) {
			has_code(file, line, reached)
			if ($2 ~ /^j/ && $2 !~ /^jmp/) {
				n = ++jumps[file, line]
				jump[file, line, n] = address
				where[file, line, n] = symbol
			}
		}
	}
	chain = 0
}

# read_source: the text of each line, and the function that it is in: the name in
# the last line before it that begins one.
function read_source(file,   text, n, f, t) {
	f = ""
	for (n = 1; (getline text < (tree "/" file)) > 0; n++) {
		if (text ~ /^[A-Za-z_].*\(/ && text !~ /;[ \t]*$/ && text !~ /^(struct|union|enum) [a-z_0-9]+ [{=]/) {
			t = text
			if (match(t, /FNAME\([a-z0-9_]+\)/))
				f = substr(t, RSTART, RLENGTH)
			else {
				sub(/\(.*/, "", t)
				sub(/.*[ *]/, "", t)
				f = t
			}
		}
		sub(/^[ \t]+/, "", text)
		source[file, n] = text
		in_function[file, n] = f
	}
	close(tree "/" file)
	return n - 1
}

# excused: the reason for what of ours is not reached.
function excused(what, file, text, f,   i, part) {
	for (i = 1; i <= reasons; i++) {
		split(reason_line[i], part, /\t+/)
		if (part[1] == what && (part[2] == file || part[2] == f "()") && index(text, part[3])) {
			used[i] = 1
			return part[4]
		}
	}
	missing++
	return "NO REASON in tests/coverage/REASONS"
}

function miss(what, file, line, text,   shown) {
	shown = (file in name) ? name[file] : file
	printf "%s:%d %s(): %s\n\t%s\n\t%s\n", shown, line, in_function[file, line], text, source[file, line],
		excused(what, shown, source[file, line], in_function[file, line]) >(out "/missed")
}

END {
	# The kernel puts other instructions into a few places.
	printf "%d of %d executed instructions are not in the modules' files\n", executed - begun, executed >"/dev/stderr"
	if (executed - begun > executed / 50) {
		print "that is too many: these are not the modules that ran" >"/dev/stderr"
		exit 2
	}
	for (k in hits) {
		split(k, part, SUBSEP)
		files[part[1]] = 1
	}
	for (file in files) {
		n = read_source(file)
		printf "TN:\nSF:%s/%s\n", tree, file >(out "/info")
		for (line = 1; line <= n; line++) {
			group = (file in name) ? "ours" : ((file, line) in hook) ? "hooks" : ""
			if (!((file, line) in hits)) {
				if (group != "" && source[file, line] ~ /^(return|break|goto|continue|if|else if|for|while|[^ ]+ [|&]?=)( |;)/)
					printf "%s:%d %s(): %s\n", (file in name) ? name[file] : file, line, in_function[file, line],
						source[file, line] >(out "/nocode")
				continue
			}
			hit = hits[file, line] > 0
			f = in_function[file, line]
			for (g = 1; g <= (group == "hooks" ? 2 : 1); g++) {
				of = g == 2 ? "hooks" : file
				lines[of]++
				lines_hit[of] += hit
			}
			printf "DA:%d,%d\n", line, hits[file, line] >(out "/info")
			function_lines[file " " f]++
			function_missed[file " " f] += !hit
			if (group != "")
				function_ours[file " " f] = " +"
			if (group != "" && !hit)
				miss("line", file, line, "not reached")
			for (j = 1; j <= jumps[file, line]; j++) {
				address = jump[file, line, j]
				taken = ("t", address) in seen
				not_taken = ("n", address) in seen
				for (g = 1; g <= (group == "hooks" ? 2 : 1); g++) {
					of = g == 2 ? "hooks" : file
					branches[of] += 2
					branches_hit[of] += taken + not_taken
				}
				ran = ("r", address) in seen
				printf "BRDA:%d,0,%d,%s\nBRDA:%d,0,%d,%s\n", line, 2 * j - 2, ran ? taken : "-",
					line, 2 * j - 1, ran ? not_taken : "-" >(out "/info")
				if (group != "" && hit && taken + not_taken < 2)
					miss("branch", file, line, sprintf("a jump in %s, at %s, is %s", where[file, line, j], address,
						!ran ? "not reached" : taken ? "always taken" : "never taken"))
			}
		}
		print "end_of_record" >(out "/info")
	}
	sort = "sort"
	for (file in name)
		if (lines[file])
			print name[file], lines_hit[file] + 0, lines[file], branches_hit[file] + 0, branches[file] + 0 | sort
	close(sort)
	print "hooks", lines_hit["hooks"] + 0, lines["hooks"] + 0, branches_hit["hooks"] + 0, branches["hooks"] + 0
	for (file in files)
		if (!(file in name))
			print file, lines_hit[file] + 0, lines[file], branches_hit[file] + 0, branches[file] + 0 | sort
	close(sort)
	sort = "sort -k3,3nr -k1,2 >'" out "/functions'"
	for (f in function_lines)
		print f, function_missed[f], function_lines[f] function_ours[f] | sort
	close(sort)
	for (i = 1; i <= reasons; i++)
		if (!(i in used)) {
			print "tests/coverage/REASONS: no need of: " reason_line[i] >"/dev/stderr"
			missing++
		}
	exit missing > 0
}
