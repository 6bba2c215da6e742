# spatch joins an added "case" to its neighbours and collapses tabs. Only lines
# that the hooks add name PKS or PKRS.
/PK[RE]*S/{
s/^#define \([A-Z0-9_]*\) /#define \1\t/
s/^\(\t[A-Z0-9_]*PKRS[A-Z_]*\) = /\1\t= /
s/^\(\t*\)case \([A-Z0-9_]*\):  \(.*\);case /\1case \2:\n\1\t\3;\n\1case /
s/^\(\t*\)case \([A-Z0-9_]*\):  /\1case \2:\n\1\t/
}
s/^\(\t*\)\tbreak;case /\1\tbreak;\n\1case /
s/(16 \* 32 + 31)/(16*32+31)/
