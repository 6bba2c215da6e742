# SPDX-License-Identifier: GPL-2.0-only
# What spatch prints and a person would not: an added "case" joined to its
# neighbours, collapsed tabs, white space on an empty line, and a comment that
# stays at the end of the last added line. Only lines that the hooks add name
# PKS or PKRS.
/PKR*S/{
s/^#define \([A-Z0-9_]*\) /#define \1\t/
s/^\(\t[A-Z0-9_]*PKRS[A-Z_]*\) = /\1\t= /
s/^\(\t*\)case \([A-Z0-9_]*\):  \(.*\);case /\1case \2:\n\1\t\3;\n\1case /
s/^\(\t*\)case \([A-Z0-9_]*\):  /\1case \2:\n\1\t/
s/(16 \* 32 + 31)/(16*32+31)/
}
s/^\(\t*\)\tbreak;case /\1\tbreak;\n\1case /
s/^\t*$//
s|^\(\tu64 host_ia32_pkrs;\) /\*.*\*/|\1|
s|^\(\tnatural_width paddingl.*;\)$|\1 /* room for future expansion */|
