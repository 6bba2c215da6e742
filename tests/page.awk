# SPDX-License-Identifier: GPL-2.0-only
# The page of make check, for people: awk -f tests/page.awk -f tests/ktap.awk, which
# counts; the page shows no count of its own. Reads the results of a run, each suite
# begun by "# suite NAME SECONDS", where NAME is SUITE or KERNEL.SUITE.
# In the environment: PAGE, the file to write; WHAT, a sentence about the run;
# RULES, what tests/mutants/table prints; CSS; COST, plots; COVERAGE, lines of
# FILE LINES-REACHED LINES BRANCHES-REACHED BRANCHES, or a file that is not there.

function escape(s) {
	gsub(/&/, "\\&amp;", s)
	gsub(/</, "\\&lt;", s)
	gsub(/>/, "\\&gt;", s)
	gsub(/"/, "\\&quot;", s)
	return s
}

function out(s) {
	print s >ENVIRON["PAGE"]
}

# What has been counted since the last suite is the last suite's.
function end_of_suite() {
	finish("")
	if (suite == "")
		return
	cell[suite, kernel] = name
	ok[suite, kernel] = passed - passed_before
	bad_ones[suite, kernel] = failed - failed_before
	skips_of[suite, kernel] = skipped - skipped_before
	for (i = failed_before + 1; i <= failed; i++)
		failed_in[i] = name
	passed_before = passed
	failed_before = failed
	skipped_before = skipped
}

/^# suite / {
	end_of_suite()
	name = $3
	kernel = suite = name
	sub(/.*\./, "", suite)
	if (!sub(/\.[^.]*$/, "", kernel))
		kernel = ""
	seconds[suite, kernel] = $4
	if (!(suite in known_suite)) {
		known_suite[suite] = 1
		suite_names[++suites] = suite
	}
	if (!(kernel in known_kernel)) {
		known_kernel[kernel] = 1
		kernel_names[++kernels] = kernel
	}
}

run != "" && /^(not )?ok / {
	id = /^ok/ ? $3 : $4
	sub(/\r$/, "", id)
	if (!(id in known_test)) {
		known_test[id] = 1
		test_names[++tests] = id
	}
	how = /^not/ ? "failed" : /# SKIP/ ? "skipped" : "passed"
	result[id, kernel, how]++
	of_test[id, how]++
	if (how == "skipped")
		skip_text[++skip_texts] = run ": " substr($0, index($0, id))
}

# "7 passed, 1 failed" of the parts that there are.
function verdict(p, f, s,   text) {
	if (p)
		text = "<span class=\"good\">" p " passed</span>"
	if (f)
		text = text (text ? ", " : "") "<span class=\"bad\">" f " failed</span>"
	if (s)
		text = text (text ? ", " : "") "<span class=\"warn\">" s " skipped</span>"
	return text
}

function label(kernel) {
	return kernel == "" ? "no kernel" : "Linux " kernel
}

function heading(   i) {
	out("<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">")
	out("<title>make check: " (failed || !runs ? "failed" : "passed") "</title>\n<style>")
	while ((getline line < ENVIRON["CSS"]) > 0)
		out(line)
	out("</style>\n<h1>make check: " (failed || !runs ? "<span class=\"bad\">failed</span>" : "<span class=\"good\">passed</span>") "</h1>")
	out("<p>" escape(ENVIRON["WHAT"]))
	out("<p id=\"totals\">" passed + 0 " passed, " failed + !runs " failed, " skipped + 0 " skipped")
	if (!runs)
		out("<p class=\"bad\">No test was run.")
	if (failed) {
		out("<h2>What failed</h2>\n<ul>")
		for (i = 1; i <= failed; i++)
			out("<li><a href=\"" escape(failed_in[i]) ".ktap\">" escape(failed_in[i]) "</a>: " escape(problem[i]))
		out("</ul>")
	}
	if (skip_texts) {
		out("<h2>What was skipped</h2>\n<ul>")
		for (i = 1; i <= skip_texts; i++)
			out("<li>" escape(skip_text[i]))
		out("</ul>")
	}
}

function suites_by_kernels(   i, j, s, k, row) {
	out("<h2>What ran where</h2>\n<p>A cell leads to its results; seconds are of the clock, while other suites ran beside. What needs no")
	out("kernel of its own, or only that of the machine&#39;s Debian, is in the column <i>no kernel</i>.")
	out("<div class=\"wide\"><table id=\"suites\">")
	row = "<tr><th>suite"
	for (j = 1; j <= kernels; j++)
		row = row "<th>" label(kernel_names[j])
	out(row)
	for (i = 1; i <= suites; i++) {
		s = suite_names[i]
		row = "<tr><th>" escape(s)
		for (j = 1; j <= kernels; j++) {
			k = kernel_names[j]
			row = row "<td>"
			if ((s, k) in cell)
				row = row "<a href=\"" escape(cell[s, k]) ".ktap\">" verdict(ok[s, k], bad_ones[s, k], skips_of[s, k]) "</a>" \
					(seconds[s, k] == "" ? "" : ", " seconds[s, k] " s")
		}
		out(row)
	}
	out("</table></div>")
}

# Whether a rule's test, with a * for the rest or not, names this one; a variation
# is of the test that it varies.
function names(pattern, id) {
	return pattern ~ /\*$/ ? index(id, substr(pattern, 1, length(pattern) - 1)) == 1 : id == pattern || index(id, pattern "~") == 1
}

# Of a rule: its number, its words, its tests and their results.
function rule(line,   part, test, n, i, j, p, f, s, first) {
	split(line, part, / [|] ?/)
	sub(/^[|] /, "", part[1])
	out("<dt id=\"" part[1] "\"><b>" part[1] "</b> " escape(part[2]) "\n<dd>")
	n = split(part[4], test, /`/)
	for (i = 2; i <= n; i += 2) {
		p = f = s = 0
		first = ""
		for (j = 1; j <= tests; j++)
			if (names(test[i], test_names[j])) {
				if (first == "")
					first = test_names[j]
				p += of_test[test_names[j], "passed"]
				f += of_test[test_names[j], "failed"]
				s += of_test[test_names[j], "skipped"]
				rules_of[test_names[j]] = rules_of[test_names[j]] " <a href=\"#" part[1] "\">" part[1] "</a>"
			}
		out("<span>" (first == "" ? "<code>" escape(test[i]) "</code> not in this run" : \
			"<a href=\"#" escape(first) "\"><code>" escape(test[i]) "</code></a> " verdict(p, f, s)) "</span>")
	}
}

function rules() {
	out("<h2>The rules and their tests</h2>\n<p>PKS-n is what the processor does, KVM-n what KVM has to do, TLB-n what it has to drop of the")
	out("translations that a processor keeps. Below each are its tests, with their results on all kernels. Which code keeps a rule, and which")
	out("faults its tests are seen to find, is in docs/rules.md.\n<dl>")
	while ((getline line < ENVIRON["RULES"]) > 0)
		if (line ~ /^[|] (PKS|KVM|TLB)-/)
			rule(line)
	out("</dl>")
}

function plots(   i, n, plot, title) {
	out("<h2>What PKS costs</h2>\n<p>Of the last <code>make bench</code>, as docs/cost-*.md have it, not of this run.")
	n = split(ENVIRON["COST"], plot, " ")
	for (i = 1; i <= n; i++) {
		title = plot[i]
		gsub(/.*cost-|[.]svg$/, "", title)
		out("<h3>Linux " escape(title) "</h3>\n<div class=\"wide plot\">")
		while ((getline line < plot[i]) > 0)
			out(line)
		out("</div>")
	}
}

function coverage(   part, found) {
	out("<h2>What the tests reach</h2>")
	while ((getline line < ENVIRON["COVERAGE"]) > 0) {
		if (!found++)
			out("<p>Of the last <code>make coverage</code>, not of this run.\n<div class=\"wide\"><table>\n<tr><th>file<th class=\"n\">lines reached<th class=\"n\">of<th class=\"n\">branches reached<th class=\"n\">of")
		split(line, part)
		out("<tr><td>" escape(part[1]) "<td class=\"n\">" part[2] "<td class=\"n\">" part[3] "<td class=\"n\">" part[4] "<td class=\"n\">" part[5])
	}
	out(found ? "</table></div>" : "<p>Not measured in this run: <code>make coverage</code> does.")
}

function all_tests(   i, j, row, id, k) {
	out("<h2>All tests</h2>\n<p>A test may run more than once on a kernel, in another machine or with other parameters.")
	out("<div class=\"wide\"><table id=\"tests\">")
	row = "<tr><th>test"
	for (j = 1; j <= kernels; j++)
		row = row "<th>" label(kernel_names[j])
	out(row "<th>rules")
	for (i = 1; i <= tests; i++) {
		id = test_names[i]
		row = "<tr id=\"" escape(id) "\"><td><code>" escape(id) "</code>"
		for (j = 1; j <= kernels; j++) {
			k = kernel_names[j]
			row = row "<td>" verdict(result[id, k, "passed"], result[id, k, "failed"], result[id, k, "skipped"])
		}
		out(row "<td>" substr(rules_of[id], 2))
	}
	out("</table></div>")
}

END {
	end_of_suite()
	heading()
	suites_by_kernels()
	rules()
	plots()
	coverage()
	all_tests()
	close(ENVIRON["PAGE"])
}
