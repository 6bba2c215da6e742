# SPDX-License-Identifier: GPL-2.0-only
# Reads what tests/l0/selftests printed with the stock modules, then with ours:
#	# run NAME
#	the program's output
#	# exit STATUS
# and prints a KTAP test for each program: it must have passed with both, and
# each of its own results must be the same. Shows both ends where it is not so.
FNR == 1 { file++ }
{ sub(/\r$/, "") }
/^# run / {
	name = $3
	if (file == 1)
		order[++n] = name
	next
}
/^# exit [0-9]+$/ {
	ended[file, name] = $3
	if ($3 != 0 && !($3 == 4 && name ~ /elf$/))
		bad[file, name] = $3 == 137 ? "ran into the time limit" : $3 == 4 ? "was skipped" : "failed with status " $3
	next
}
{ output[file, name] = output[file, name] "# " $0 "\n" }
/^(not )?ok [0-9]/ { results[file, name] = results[file, name] $0 "\n" }

function word(file, name) {
	return !((file, name) in ended) ? "did not end" : (file, name) in bad ? bad[file, name] : "passed"
}

END {
	print "1.." n
	for (i = 1; i <= n; i++) {
		name = order[i]
		id = name
		sub(/[.]elf$/, "~hidden", id)
		same = word(1, name) == word(2, name) && results[1, name] == results[2, name]
		if (same && word(1, name) == "passed") {
			print "ok " i " same." id
			continue
		}
		failed++
		printf "# with the stock modules it %s:\n%s", word(1, name), output[1, name]
		printf "# with ours it %s:\n%s", word(2, name), output[2, name]
		print "not ok " i " same." id " # " (same ? "as with the stock modules, but it has to pass, or to be in tests/selftests/LEFT-OUT" : "not as with the stock modules")
		differ += !same
	}
	print "# " n " programs, " n - failed " passed with both, " differ + 0 " differ"
	exit failed > 0
}
