#!/usr/bin/env bash
# Builds the Lambda layer with WeasyPrint's native libraries, and fonts for what ours lack (fonts-dejavu-core,
# fonts-droid-fallback): build/layer.zip.
# Run it on Debian 12 or Amazon Linux 2023 (x86_64), whose C library is not newer than Lambda's. Then:
#   aws lambda publish-layer-version --layer-name tollgate-print --zip-file fileb://build/layer.zip
# and deploy with PRINT_LAYER=<the version's ARN>.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=build/layer
rm -rf "$target" build/layer.zip
mkdir -p "$target/lib" "$target/fonts"
roots=(libpango-1.0.so.0 libpangoft2-1.0.so.0 libharfbuzz.so.0 libharfbuzz-subset.so.0 libgobject-2.0.so.0 libfontconfig.so.1)
for root in "${roots[@]}"; do
  path="$(ldconfig -p | awk -v name="$root" '$1 == name { print $NF; exit }')"
  [ -n "$path" ] || { echo "$root is not installed (libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0)" >&2; exit 1; }
  cp -L "$path" "$target/lib/"
  # Its own needs, but for the C library, which Lambda brings.
  ldd "$path" | awk '/=> \// { print $3 }' | grep -vE '/(libc|libm|libpthread|libdl|librt|ld-linux[^/]*)\.so' |
    while read -r needed; do cp -Ln "$needed" "$target/lib/"; done
done
cp /usr/share/fonts/truetype/dejavu/*.ttf /usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf "$target/fonts/"
cat >"$target/fonts/fonts.conf" <<'FONTS'
<?xml version="1.0"?>
<fontconfig><dir>/opt/fonts</dir><cachedir>/tmp/fontconfig</cachedir></fontconfig>
FONTS
(cd "$target" && python3 -m zipfile -c ../layer.zip lib fonts)
echo "build/layer.zip: $(du -h build/layer.zip | cut -f1)"
