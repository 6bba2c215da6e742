# SPDX-License-Identifier: GPL-2.0-only
# For lab/run --trace: PKRS in one run as a time line. Reads tests/mutants/RULES,
# what nm says of the guest, and the emulator's lines (cpu/proc_ctrl.cc in
# bochs.patch): CPU TIME NON-ROOT VMCS RIP PKRS CR4.PKS WHAT...
# In the environment TRACE is where it goes, TRACE.txt and TRACE.html; CSS the
# style of the page; ON and GUEST, what ran. What is to be seen at once goes to stderr.
#
# VM exits and entries that move no other value than the last ones did are
# counted in one row, and rows that repeat are, too.

function hex(s,   i, v) {
	for (i = 1; i <= length(s); i++)
		v = v * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
	return v + 0
}

# Of a key: 0, 1 (AD), 2 (WD) or 3.
function rights(pkrs, key,   digit) {
	digit = hex(substr(pkrs, 8 - int(key / 2), 1))
	return key % 2 ? int(digit / 4) : digit % 4
}

function pad(s) {
	return substr("00000000" s, length("00000000" s) - (length(s) > 8 ? length(s) : 8) + 1)
}

function bits(error,   i, name, s) {
	split("P W U RSVD I PK", name)
	for (i = 1; i <= 6; i++)
		if (int(error / 2 ^ (i - 1)) % 2)
			s = s " " name[i]
	return substr(s, 2)
}

# The function of the guest that an address is in; its addresses have 8 digits.
function place(rip,   low, high, mid, a) {
	a = pad(rip)
	if (length(a) > 8 || !symbols || a < address[1] || a > address[symbols])
		return rip
	low = 1
	high = symbols
	while (low < high) {
		mid = int((low + high + 1) / 2)
		if (address[mid] <= a)
			low = mid
		else
			high = mid - 1
	}
	return rip " in " symbol[low]
}

# Who runs where this line was written.
function whose(inside, v) {
	return inside ? "guest of VMCS " v : ON == "bare" ? "guest" : "host"
}

# One more row, with PKRS as it is after it; the last ones wait for repeats.
function row(class, who, what, pkrs,   i, p) {
	if (period) {
		if (what == waits[at, "what"] && who == waits[at, "who"] && pkrs == waits[at, "pkrs"]) {
			waits[at, "again"] = time
			if (++at > waiting) {
				at = waiting - period + 1
				again++
				until = time
			}
			return
		}
		stop_repeating()
	}
	waiting++
	waits[waiting, "class"] = class
	waits[waiting, "who"] = who
	waits[waiting, "what"] = what
	waits[waiting, "pkrs"] = pkrs
	waits[waiting, "time"] = time
	waits[waiting, "cpu"] = cpu
	for (p = 1; 3 * p <= waiting; p++) {
		for (i = 0; i < 2 * p; i++)
			if (waits[waiting - i, "what"] != waits[waiting - p - i, "what"] ||
			    waits[waiting - i, "who"] != waits[waiting - p - i, "who"] ||
			    waits[waiting - i, "pkrs"] != waits[waiting - p - i, "pkrs"])
				break
		if (i == 2 * p) {
			waiting -= 2 * p
			period = p
			again = 2
			until = time
			at = waiting - p + 1
			return
		}
	}
	if (waiting >= 3 * LONGEST)
		release(1)
}

# The rows that a repetition was given up in are rows again.
function stop_repeating(   i, n, f, last) {
	n = at - 1
	last = waits[waiting, "pkrs"]
	for (i = waiting - period + 1; i <= n; i++) {
		for (f in fields)
			part[i, f] = waits[i, f]
		part[i, "time"] = waits[i, "again"]
	}
	i = waiting - period + 1
	release(waiting)
	put("again", "", (period == 1 ? "the same" : "the last " period " rows") ", " again " times more, until " until, last)
	period = 0
	for (; i <= n; i++) {
		waiting++
		for (f in fields)
			waits[waiting, f] = part[i, f]
	}
}

# N of the rows that wait are done.
function release(n,   i, f) {
	for (i = 1; i <= n; i++) {
		time_of_row = waits[i, "time"]
		cpu_of_row = waits[i, "cpu"]
		put(waits[i, "class"], waits[i, "who"], waits[i, "what"], waits[i, "pkrs"])
	}
	for (i = n + 1; i <= waiting; i++)
		for (f in fields)
			waits[i - n, f] = waits[i, f]
	waiting -= n
}

# In memory are the first rows and the last ones.
function put(class, who, what, pkrs,   key) {
	rows++
	if (rows > FIRST + LAST)
		delete_row(rows - LAST)
	row_class[rows] = class
	row_time[rows] = class == "again" ? "" : time_of_row
	row_cpu[rows] = class == "again" ? "" : cpu_of_row
	row_who[rows] = who
	row_what[rows] = what
	row_pkrs[rows] = pkrs
	for (key = 0; key < 16 && pkrs != "00000000"; key++)
		if (rights(pkrs, key))
			used[key] = 1
}

function delete_row(i) {
	delete row_class[i]
	delete row_time[i]
	delete row_cpu[i]
	delete row_who[i]
	delete row_what[i]
	delete row_pkrs[i]
}

# Exits and entries that were only counted, on each processor, those that began first
# before the others: rows are told in the order of their times.
function tell_quiet(   c, first, here, now) {
	here = cpu
	now = time
	for (;;) {
		first = -1
		for (c = 0; c <= last_cpu; c++)
			if ((quiet_entries[c] || quiet_exits[c]) && (first < 0 || quiet_since[c] < quiet_since[first]))
				first = c
		if (first < 0)
			break
		cpu = first
		time = quiet_since[cpu]
		tell_quiet_here()
	}
	cpu = here
	time = now
}

function tell_quiet_here(   i, list) {
	for (i = 1; i <= quiet_reasons[cpu]; i++)
		list = list (i > 1 ? ", " : ": ") quiet_count[cpu, i] " " quiet_reason[cpu, i]
	for (i = 1; i <= quiet_reasons[cpu]; i++)
		delete quiet_count[cpu, i]
	row("quiet", "VMCS " quiet_vmcs[cpu], (quiet_exits[cpu] ? count(quiet_exits[cpu], "exit", "exits") list : "") (quiet_exits[cpu] && quiet_entries[cpu] ? "; " : "") \
		(quiet_entries[cpu] ? count(quiet_entries[cpu], "entry", "entries") : ""), quiet_pkrs[cpu])
	quiet_entries[cpu] = quiet_exits[cpu] = quiet_reasons[cpu] = 0
}

function count(n, one, many) {
	return n + 0 " " (n == 1 ? one : many)
}

function quiet(v, reason,   i) {
	if (v != quiet_vmcs[cpu])
		tell_quiet()
	if (!quiet_entries[cpu] && !quiet_exits[cpu])
		quiet_since[cpu] = time
	quiet_vmcs[cpu] = v
	quiet_pkrs[cpu] = pkrs_of[cpu]
	if (reason == "") {
		quiet_entries[cpu]++
		return
	}
	quiet_exits[cpu]++
	for (i = 1; i <= quiet_reasons[cpu]; i++)
		if (quiet_reason[cpu, i] == reason)
			break
	if (i > quiet_reasons[cpu]) {
		quiet_reasons[cpu] = i
		quiet_reason[cpu, i] = reason
	}
	quiet_count[cpu, i]++
}

function tell(class, who, what) {
	tell_quiet()
	row(class, who, what, pkrs_of[cpu])
}

BEGIN {
	ON = ENVIRON["ON"]
	LONGEST = 6
	FIRST = 1000
	LAST = 4000
	split("class who what pkrs time cpu", n)
	for (i in n)
		fields[n[i]] = 1
}

from == "rules" {
	if (/^PKS-/) {
		rule[$1] = $0
		sub(/ *[|].*/, "", rule[$1])
		sub(/ /, ": ", rule[$1])
	}
	next
}

from == "guest" {
	if ($2 ~ /^[tT]$/ && $1 != address[symbols]) {
		address[++symbols] = $1
		symbol[symbols] = $3
	}
	next
}

# The emulator was stopped in the middle of a line.
$8 !~ /^(reset|wrmsr|list|vmwrite|vmfail|entry|exit|fault)$/ { next }

{
	cpu = $1
	time = $2
	if (cpu > last_cpu)
		last_cpu = cpu
	inside = $3
	v = 0
	if (inside || list[cpu] != "" || $8 ~ /^(list|vmwrite|vmfail|entry|exit)$/ && $4 != "ffffffffffffffff") {
		if (!($4 in number)) {
			number[$4] = ++vmcss
			where_is[vmcss] = $4
			host_field[vmcss] = "?"
		}
		v = number[$4]
	}
	who = whose(inside, v)
	context = inside || $8 == "entry" ? "v" v : "c" cpu
	before = pkrs_of[cpu]
	pkrs_of[cpu] = $6
	events++
	if (context in cr4_pks && cr4_pks[context] != $7 || !(context in cr4_pks) && $7)
		tell("cr4", whose(context ~ /^v/, v), "CR4.PKS is " $7 " by now")
	cr4_pks[context] = $7
}

$8 == "reset" {
	pkrs_of[cpu] = "00000000"
	origin["c" cpu] = "the reset"
	origin_time["c" cpu] = time
	tell("reset", "processor", "reset")
}

# The next line is of the MSR-load list of the VM exit that was just now, or of the
# VM entry that follows.
$8 == "list" { list[cpu] = time == exit_time[cpu] ? "exit" : "entry" }

$8 == "wrmsr" {
	writes++
	how = list[cpu] ? "MSR-load list of the VM " list[cpu] : "WRMSR at " place($5)
	refused = length($9) > 8
	if (!refused) {
		pkrs_of[cpu] = pad($9)
		# An entry's list is the guest's, which finds this value.
		set = list[cpu] == "entry" ? "v" v : context
		origin[set] = how
		origin_time[set] = time
	}
	how = how ": " (refused ? "refused, " $9 " has bits 63:32" : pad($9))
	if (list[cpu] == "entry")
		entry_list[cpu, ++entry_lists[cpu]] = how
	else
		tell(refused ? "refused" : "write", list[cpu] ? "VMCS " v : who, how)
	list[cpu] = ""
}

# The values of an entry's list come after its own.
function tell_list(   i) {
	for (i = 1; i <= entry_lists[cpu]; i++)
		tell("write", "VMCS " v, entry_list[cpu, i])
	entry_lists[cpu] = 0
}

$8 == "vmwrite" {
	is_host = $9 == "2c06"
	if ($9 == "2818") {
		if (guest_field[v] != pad($10)) {
			origin["v" v] = "VMWRITE at " place($5) " (" who ")"
			origin_time["v" v] = time
		}
		guest_field[v] = pad($10)
	} else
		host_field[v] = pad($10)
	tell("vmwrite", who, "VMWRITE at " place($5) ": " (is_host ? "host" : "guest") " field of VMCS " v " = " pad($10))
}

$8 == "vmfail" { tell("refused", who, "VM instruction failed with error " $9 (v ? ", VMCS " v : "")) }

$8 == "entry" {
	entries[v]++
	loads[v, $9]++
	value = $9 ? pad($10) : pkrs_of[cpu]
	# Which guest it is a guest of, where a VMM runs in a VM.
	if (launched[cpu] && launched[cpu] != v && !(v in parent))
		parent[v] = launched[cpu]
	launched[cpu] = 0
	injects = $11 ~ /^[89a-f].*0e$/ && int(hex($12) / 32) % 2
	if (v in saved && saved[v] == pkrs_of[cpu] && !injects && !entry_lists[cpu])
		quiet(v, "")
	else
		tell("entry", "VMCS " v, "VM entry: " ($9 ? "loads the guest field, " pad($10) : "no load, PKRS stays"))
	tell_list()
	if (injects) {
		fault_time[cpu] = time
		what = "a page fault comes with the VM entry, error code " $12 " = " bits(hex($12))
		tell("fault", "VMCS " v, "FAULT: " what)
	}
	# Unless it was there before, and intercepted, or an exit came into its delivery.
	if (injects && !intercepted[cpu]) {
		faults++
		why = "The last fault by a key, at instruction " time ", guest of VMCS " v ": " what ".\n" \
			"  It is its hypervisor that refused the access, by a walk of its own. PKRS was " pkrs_of[cpu] ".\n"
	}
	entered[v] = pkrs_of[cpu]
	root_pkrs[v] = before
}

$8 == "exit" {
	if (!inside)
		tell_list()
	exit_time[cpu] = time
	reason = $14
	for (i = 15; i <= NF; i++)
		reason = reason " " $i
	if (($9 == 31 || $9 == 32) && $13 == "6e1")
		reason = reason " of IA32_PKRS"
	if ($9 == 0)
		reason = reason " (vector " hex(substr($12, length($12) - 1)) ")"
	intercepted[cpu] = $9 == 0 && $12 ~ /0e$/ || cpu in fault_time && time == fault_time[cpu]
	host_field[v] = pad($11)
	launched[cpu] = $9 == 20 || $9 == 24 ? v : 0
	if (inside) {
		exits[v]++
		guest_field[v] = saved[v] = pkrs_of[cpu]
	}
	after = $10 ? pad($11) : pkrs_of[cpu]
	host_loads[v, $10]++
	was = pkrs_of[cpu]
	pkrs_of[cpu] = after
	if (inside && was == entered[v] && after == root_pkrs[v] && !($9 ~ /^3[12]$/ && $13 == "6e1"))
		quiet(v, reason)
	else
		tell(inside ? "exit" : "refused", "VMCS " v, "VM " (inside ? "exit, " : "entry failed, ") reason ": " \
			(inside ? "saves " was ", " : "") ($10 ? "loads the host field, " pad($11) : "no load, PKRS stays"))
}

$8 == "fault" {
	faults++
	fault_time[cpu] = time
	reg = $13 ? "PKRU" : "PKRS"
	right = rights(pad($12), $11)
	write = int(hex($10) / 2) % 2
	what = (write ? "write to " : "read of ") $9 " at " place($5)
	tell("fault", who, "FAULT: " what ", error code " $10 " = " bits(hex($10)) ": key " $11 " in " reg " " pad($12) " has " (right % 2 ? "AD" : "WD"))
	why = "The last fault by a key, at instruction " time ", " who ": " what ".\n" \
	"  Error code " $10 " = " bits(hex($10)) ": the page is there, and its key forbids this access.\n" \
	"  Key " $11 ", a " ($13 ? "user" : "supervisor") "-mode address: " reg " counts, and was " pad($12) ".\n" \
	"    " rule["PKS-2"] "\n" \
	"  Of key " $11 " " (right % 2 ? "AD" : "WD") " is set" (right % 2 ? "" : ", CR0.WP is " $14 (int(hex($10) / 4) % 2 ? ", the access is a user's" : "")) ".\n" \
	"    " rule[right % 2 ? "PKS-4" : "PKS-5"] "\n"
	if (!$13)
		why = why "  PKRS was written by " (context in origin ? origin[context] ", " time - origin_time[context] " instructions before" : "nobody") ".\n"
}

function escape(s) {
	gsub(/&/, "\\&amp;", s)
	gsub(/</, "\\&lt;", s)
	gsub(/>/, "\\&gt;", s)
	return s
}

# always, never or N times of all.
function share(n, all) {
	return !n ? "never" : n == all ? "always" : n " times"
}

function vmcs_line(i) {
	return "VMCS " i " (at " where_is[i] (i in parent ? ", entered where the guest of VMCS " parent[i] " entered one of its own" : "") "): " \
		count(entries[i], "entry", "entries") ", PKRS loaded " share(loads[i, 1], entries[i]) "; " count(exits[i], "exit", "exits") ", loaded " share(host_loads[i, 1], exits[i]) \
		"; guest field " (i in guest_field ? guest_field[i] : "?") ", host field " host_field[i]
}

function left_out() {
	return rows - FIRST - LAST " rows left out here"
}

END {
	text = ENVIRON["TRACE"] ".txt"
	page = ENVIRON["TRACE"] ".html"
	tell_quiet()
	if (period)
		stop_repeating()
	release(waiting)
	title = "PKRS in a run of " ENVIRON["GUEST"] ", --on " ON
	total = count(events, "event", "events") ", " count(writes, "write", "writes") ", " count(faults, "fault", "faults") " by a key"
	if (!faults)
		why = "No access was refused by a key.\n"

	printf "%s: %s\n\n%12s %s%-17s %8s  %s\n", title, total, "instruction", last_cpu ? "CPU " : "", "who", "PKRS", "what" >text
	for (i = 1; i <= rows; i++) {
		if (!(i in row_what)) {
			if (i == FIRST + 1)
				print "... " left_out() >text
			continue
		}
		printf "%12s %s%-17s %s  %s\n", row_time[i], last_cpu ? sprintf("%-4s", row_cpu[i]) : "", row_who[i], row_pkrs[i], row_what[i] >text
	}
	print "" >text
	for (i = 1; i <= vmcss; i++)
		print vmcs_line(i) >text
	printf "%s%s", vmcss ? "\n" : "", why >text

	print "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">" >page
	print "<title>" escape(title) "</title>\n<style>" >page
	while ((getline line < ENVIRON["CSS"]) > 0)
		print line >page
	print "</style>\n<h1>" escape(title) "</h1>\n<p>" total "\n<pre>" escape(why) "</pre>\n<ul>" >page
	for (i = 1; i <= vmcss; i++)
		print "<li>" escape(vmcs_line(i)) >page
	print "</ul>\n<div class=\"wide\"><table>\n<tr><th class=\"n\">instruction" (last_cpu ? "<th>CPU" : "") "<th>who<th>PKRS" >page
	for (key = 0; key < 16; key++)
		if (key in used)
			printf "<th>key %d", key >page
	print "<th>what" >page
	for (i = 1; i <= rows; i++) {
		if (!(i in row_what)) {
			if (i == FIRST + 1)
				print "<tr><td colspan=\"5\">" left_out() >page
			continue
		}
		printf "<tr class=\"%s\"><td class=\"n\">%s%s<td>%s<td><code>%s</code>", row_class[i], row_time[i], \
			last_cpu ? "<td>" row_cpu[i] : "", row_who[i], row_pkrs[i] >page
		for (key = 0; key < 16; key++)
			if (key in used) {
				right = rights(row_pkrs[i], key)
				printf "<td class=\"k%d\">%s", right, right % 2 ? "AD" : right ? "WD" : "" >page
			}
		print "<td class=\"what\">" escape(row_what[i]) >page
	}
	print "</table></div>" >page
	printf "lab: %s\n%slab: the time line is in %s and %s\n", total, why, text, page >"/dev/stderr"
}
