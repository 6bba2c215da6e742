# SPDX-License-Identifier: GPL-2.0-only
# Reads the output of test programs and counts it. Each run is
#	# run NAME
#	KTAP version 1
#	...
#	# exit STATUS
# and must have its plan, as many results as planned and at least one, and a
# status that fits them; anything else is one more failure. Prints what failed;
# its last line is the project's: N passed, N failed, N skipped.
# skips: file of "NAME ID" pairs that may be skipped; a * ends or begins either.
BEGIN {
	while (skips != "" && (getline line < skips) > 0)
		if (line !~ /^(#|$)/)
			allowed[line] = 1
}

function complain(what) {
	problem[++failed] = run ": " what
	print "not ok " problem[failed]
}

function matches(text, pattern) {
	if (pattern ~ /\*$/)
		return index(text, substr(pattern, 1, length(pattern) - 1)) == 1
	if (pattern ~ /^\*/)
		return substr(text, length(text) - length(pattern) + 2) == substr(pattern, 2)
	return text == pattern
}

function may_skip(id,   pair, part) {
	for (pair in allowed) {
		split(pair, part)
		if (matches(run, part[1]) && matches(id, part[2]))
			return 1
	}
	return 0
}

function finish(status) {
	if (run == "")
		return
	if (status == "")
		complain("ended without a status")
	if (plan == "")
		complain("no plan: the program did not run or was cut off")
	else if (plan == 0 || results != plan)
		complain(results " results where " plan " were planned")
	if (status != "" && status != 0 && !bad && !(status == 4 && skipped_here == results))
		complain("exit status " status)
	run = ""
}

/^# run / {
	finish("")
	run = $3
	plan = ""
	results = bad = skipped_here = 0
	runs++
	next
}

# A diagnostic may begin alike.
/^# exit [0-9]+\r?$/ { sub(/\r$/, "", $3); finish($3); next }

run == "" { next }

# A console may end its lines with a carriage return.
{ sub(/\r$/, "") }

/^1\.\.[0-9]+$/ { plan = substr($0, 4) + 0; next }

/^(not )?ok / {
	results++
	sub(/^not ok/, "not_ok")
	if ($2 != results)
		complain("result " $2 " where " results " was due: " $3)
	if ($1 == "not_ok") {
		bad++
		complain(substr($0, index($0, $3)))
	} else if ($0 ~ /# SKIP/) {
		skipped++
		skipped_here++
		if (!may_skip($3))
			complain($3 " was skipped: " substr($0, index($0, "# SKIP")))
	} else {
		passed++
	}
}

END {
	finish("")
	if (!runs) {
		run = "check"
		complain("no test was run")
	}
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed != 0
}
