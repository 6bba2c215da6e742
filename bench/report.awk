# SPDX-License-Identifier: GPL-2.0-only
# Reads cost.jsonl and demands, and writes as -v as= says: the table for a
# terminal (text), the template that follows them with its figures (doc), or the
# plot (svg). With text it fails if a demand is not met.
function field(key,   s) {
	s = $0
	if (!sub(".*\"" key "\":\"?", "", s))
		return ""
	sub(/[",}].*/, "", s)
	return s
}

# Of a case NAME/VARIANT, or "-" where those modules cannot have it.
function figure(id, modules) {
	return (id, modules) in value ? value[id, modules] : "-"
}

function more(id, base,   a, b) {
	a = figure(id, "pks")
	b = figure(base, "rebuilt")
	return a == "-" || b == "-" ? "-" : sprintf("%+d", a - b)
}

function met(i,   a, b) {
	a = figure(demand[i], "pks")
	b = compared[i] == "" ? 0 : figure(compared[i], "rebuilt")
	if (a == "-" || b == "-")
		return 0
	return a <= b + (limit[i] ~ /%$/ ? int(b * limit[i] / 100) : limit[i])
}

FILENAME ~ /\.jsonl$/ {
	id = field("name") "/" field("variant")
	if (!(id in unit))
		cases[++ncases] = id
	unit[id] = field("unit")
	# Whatever takes longer than a tick of the host's clock has one in most
	# rounds: there the least is the better figure.
	value[id, field("modules")] = field(id ~ /^vcpu\./ ? "min" : "median")
	next
}

FILENAME ~ /demands$/ {
	if (/^(#|$)/)
		next
	demand[++ndemands] = $1 "/" $2
	compared[ndemands] = $3 == "-" ? "" : $1 "/" $3
	limit[ndemands] = $4
	next
}

# The template: @table@ and @demands@ alone in a line, @NAME/VARIANT/MODULES@
# and @NAME/VARIANT-VARIANT@, ours less the unpatched ones', anywhere.
as == "doc" && /^@table@$/ { table("| %s | %s | %s | %s | %s | %s |\n"); next }
as == "doc" && /^@demands@$/ { demands("| %s | %s | %s | %s |\n"); next }
as == "doc" {
	while (match($0, /@[a-z0-9_.]+\/[^@ ]+@/))
		$0 = substr($0, 1, RSTART - 1) inline(substr($0, RSTART + 1, RLENGTH - 2)) \
			substr($0, RSTART + RLENGTH)
	print
}

function inline(text,   part, pair, is) {
	split(text, part, "/")
	if (part[3] != "")
		is = figure(part[1] "/" part[2], part[3])
	else {
		split(part[2], pair, "-")
		is = more(part[1] "/" pair[1], part[1] "/" pair[2])
	}
	if (is == "-") {
		print "bench/report: there is no measurement " text > "/dev/stderr"
		failed = 1
	}
	return is
}

function table(format,   i, id) {
	for (i = 1; i <= ncases; i++) {
		id = cases[i]
		if (id ~ /^scale\//)
			continue
		printf format, id, figure(id, "bare"), figure(id, "stock"),
			figure(id, "rebuilt"), figure(id, "pks"), more(id, id)
	}
}

function demands(format,   i, is) {
	for (i = 1; i <= ndemands; i++) {
		is = compared[i] == "" ? figure(demand[i], "pks") : more(demand[i], compared[i])
		printf format, demand[i] (compared[i] == "" || compared[i] == demand[i] ? "" : " against " compared[i]),
			"+" limit[i], is, met(i) ? "met" : "NOT MET"
	}
}

function text(format) {
	print "Instructions (vcpu.bytes: bytes, pkrs.exits: VM exits): medians, of vcpu.* the least"
	format = "%-34s %9s %9s %9s %9s %7s\n"
	printf format, "", "no KVM", "stock", "rebuilt", "pks", "more"
	table(format)
	print "\nDemands"
	format = "%-50s %8s %8s  %s\n"
	printf format, "", "allowed", "measured", ""
	demands(format)
}

# One bar; what is drawn is gathered, for its height comes first.
function bar(label, v, max, color,   w) {
	w = v * 420 / max
	drawn = drawn sprintf("<text x=\"250\" y=\"%d\" text-anchor=\"end\">%s</text>", y + 11, label) \
		sprintf("<rect x=\"258\" y=\"%d\" width=\"%.1f\" height=\"14\" fill=\"%s\"/>", y, w, color) \
		sprintf("<text x=\"%.1f\" y=\"%d\">%d</text>\n", 264 + w, y + 11, v)
	y += 18
}

# Bars of the cases given, one a set of modules that has it.
function panel(title, list,   n, ids, i, m, sets, colors, max) {
	split("rebuilt pks", sets)
	split("#9aa5b1 #1f6feb", colors)
	n = split(list, ids)
	for (i = 1; i <= n; i++)
		for (m = 1; m <= 2; m++)
			if ((ids[i], sets[m]) in value && value[ids[i], sets[m]] + 0 > max)
				max = value[ids[i], sets[m]] + 0
	y += 14
	drawn = drawn sprintf("<text x=\"10\" y=\"%d\" font-weight=\"bold\">%s</text>\n", y, title)
	y += 8
	for (i = 1; i <= n; i++)
		for (m = 1; m <= 2; m++)
			if ((ids[i], sets[m]) in value)
				bar(ids[i] ", " (m == 1 ? "stock" : "kvm-pks"), value[ids[i], sets[m]], max, colors[m])
	y += 10
}

function svg(   size) {
	y = 4
	panel("A VM exit (CPUID) and back, instructions", "exit.cpuid/hidden exit.cpuid/exposed exit.cpuid/used")
	panel("A page walk of KVM's (KVM_TRANSLATE), instructions", "walk.translate/no_keys walk.translate/pku walk.translate/pks")
	panel("A write window of a guest, instructions, the host's included",
	      "window.pkrs/guest window.page_table/guest window.cr0_wp/guest window.hypercall/guest")
	panel("L1 to L2 and back (CPUID), instructions", "nested.cpuid/hidden nested.cpuid/exposed")
	size = "width=\"760\" height=\"" y "\""
	print "<svg xmlns=\"http://www.w3.org/2000/svg\" " size " font-family=\"sans-serif\" font-size=\"12\">"
	print "<!-- SPDX-License-Identifier: GPL-2.0-only; made by bench/report -->"
	print "<rect " size " fill=\"white\"/>"
	print drawn "</svg>"
}

END {
	if (as == "svg")
		svg()
	if (as == "text") {
		text()
		for (i = 1; i <= ndemands; i++)
			if (!met(i))
				failed = 1
		if (!ndemands || !ncases)
			failed = 1
	}
	exit failed
}
