# A terminal transcript as an SVG picture. A cell is 0.6 em wide and 1.2 em high, so that the half
# blocks of a QR code come out square.

function escaped(text) {
    gsub(/&/, "\\&amp;", text)
    gsub(/</, "\\&lt;", text)
    gsub(/>/, "\\&gt;", text)
    return text
}

function class(text) {
    if (text ~ /^== /) return "heading"
    if (text ~ /^\$ /) return "typed"
    if (text ~ /^# /) return "remark"
    if (text ~ /^✓ /) return "good"
    return "plain"
}

{ line[NR] = $0 }

END {
    size = 14
    height = size * 1.2
    width = 110 * size * 0.6
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" xml:space=\"preserve\" viewBox=\"0 0 %d %d\">\n", width, (NR + 2) * height
    print "<style>"
    print "rect { fill: #15181d } text { font: " size "px monospace; white-space: pre; fill: #c8ccd4 }"
    print ".heading { fill: #e5c07b; font-weight: bold } .typed { fill: #fff; font-weight: bold }"
    print ".remark { fill: #7f848e } .good { fill: #98c379 }"
    print "</style>"
    print "<rect width=\"100%\" height=\"100%\" rx=\"8\"/>"
    for (i = 1; i <= NR; i++)
        if (line[i] != "")
            printf "<text class=\"%s\" x=\"%d\" y=\"%.1f\">%s</text>\n",
                class(line[i]), size, (i + 1) * height, escaped(line[i])
    print "</svg>"
}
