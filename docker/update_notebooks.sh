#!/usr/bin/env bash
# Brings notebooks of an earlier image up to date: update_notebooks.sh SHIPPED FOLDER
#
# A volume is filled from the image once, when it is new. Each image has a list of what it ships (.shipped, made by
# sha256sum); what is in FOLDER as an earlier list says was changed by nobody and is replaced, anything else stays.
# A folder with contents and without a list is somebody's own, such as a mounted clone, and is left alone.
set -euo pipefail
shipped=${1:?usage: update_notebooks.sh SHIPPED FOLDER} folder=${2:?usage: update_notebooks.sh SHIPPED FOLDER}

[[ -f $shipped/.shipped && -w $folder ]] || exit 0
if [[ ! -f $folder/.shipped && -n $(ls -A -- "$folder") ]]; then exit 0; fi
if cmp --silent -- "$shipped/.shipped" "$folder/.shipped"; then exit 0; fi

while read -r sum file; do
  was=$(sha256sum -- "$folder/$file" 2>/dev/null | cut -d ' ' -f 1) || true
  if [[ -z $was || $was == "$sum" ]] || grep -qsxF -- "$was  $file" "$folder/.shipped"; then
    mkdir -p -- "$(dirname -- "$folder/$file")"
    cp -- "$shipped/$file" "$folder/$file"
  else
    printf 'note: %s has a newer version in the image, and yours is changed: yours stays. Remove it and start again for the new one.\n' "${file#./}"
  fi
done <"$shipped/.shipped"
cp -- "$shipped/.shipped" "$folder/.shipped"
