#!/usr/bin/env bash
# House rules that a compiler does not know: who may include whom, one door per library, no
# printing below app/, the common format. Usage: lint.sh SOURCE_DIR
set -u
cd "$1" || exit 2
# A file, since the reports run in subshells of pipes.
broken=$(mktemp)
trap 'rm -f "$broken"' EXIT

# report TEXT: reads offending lines from standard input.
report() {
    local lines
    lines=$(cat)
    [ -z "$lines" ] && return
    printf '%s\n%s\n\n' "$1" "$lines"
    echo "$1" >>"$broken"
}

sources() { git ls-files --cached --others --exclude-standard -- "$@" 2>/dev/null | grep -E '\.[ch]$'; }

# folder_may FOLDER ALLOWED...: its includes of ours stay within the allowed folders.
folder_may() {
    local folder=$1
    shift
    local allowed
    allowed=$(printf '%s|' "$folder" "$@")
    sources "$folder" | xargs -r grep -nE '#include "[a-z_]+/' |
        grep -vE "#include \"(${allowed%|})/" | report "include table: $folder may not see"
}
folder_may base
folder_may acquisition base
folder_may calibration base
folder_may analysis base calibration
folder_may protocols base calibration analysis
folder_may archive base calibration analysis protocols
folder_may report base calibration analysis protocols
folder_may simulation base acquisition
sources simulation | xargs -r grep -nE '#include "acquisition/' | grep -v 'acquisition/transport.h' |
    report "include table: simulation sees only acquisition/transport.h"

# door LIBRARY_HEADER FILE_PATTERN
door() {
    sources base acquisition calibration analysis protocols archive report simulation app |
        grep -vE "$2" | xargs -r grep -nE "#include <$1" | report "one door: <$1> belongs to $2"
}
door 'hdf5' '^archive/'
door 'libserialport' '^acquisition/transport_serial\.c$'
door 'libusb' '^acquisition/transport_usb\.c$'
door 'sqlite3' '^archive/'
door 'uv\.h' '^(acquisition/capture|app/)'
door '(cyaml/cyaml|yaml)\.h' '^(base/yaml|protocols|simulation|app)'

sources base acquisition calibration analysis protocols archive report simulation |
    grep -v '^base/log\.c$' | xargs -r grep -nE '(^|[^a-z_sn])(printf|puts|putchar|perror) ?\(' |
    report "only app/ prints; below it use base/log.h"

sources base acquisition calibration analysis protocols archive report simulation app |
    xargs -r grep -nE '\b(exit|abort|alloca|gets|strcpy|strcat|sprintf|atoi|atof)\(' |
    report "calls that the style forbids"

sources . | grep '\.h$' | while read -r header; do
    guard="LIMBER_$(echo "${header%.h}" | tr 'a-z/' 'A-Z_')_H"
    case "$header" in tests/* | bench/*) continue ;; esac
    grep -q "#ifndef $guard" "$header" || echo "$header: guard should be $guard"
    [ "$(wc -l <"$header")" -le 260 ] || echo "$header: longer than 260 lines"
done | report "headers"

git ls-files --cached --others --exclude-standard | grep -vE '^tests/lint/' |
    xargs -r grep -nIE '(/work/|/root/|/home/[a-z])' | report "paths of one machine"

if command -v clang-format >/dev/null; then
    sources . | xargs -r clang-format --dry-run --Werror 2>&1 | grep -E 'error:' | head -20 |
        report "format (clang-format -i FILE)"
else
    echo "skipped: clang-format is not installed"
fi

[ ! -s "$broken" ] || { echo "lint: $(wc -l <"$broken") rules broken"; exit 1; }
echo "lint: clean"
