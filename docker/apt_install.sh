#!/usr/bin/env bash
# Installs Debian packages while an image is made: apt_install [PACKAGE...]
#
# Packages that are there stay as they are: CUDA's images hold theirs back at a version. APT_MIRROR, a scheme and
# a host (http://mirror.example), stands in for the hosts of the image's own Debian or Ubuntu sources.
set -euo pipefail

if [[ -n ${APT_MIRROR:-} ]]; then
  find /etc/apt \( -name '*.list' -o -name '*.sources' \) \
    -exec sed --in-place --regexp-extended "s#https?://[^/[:space:]]+/(debian|ubuntu)#${APT_MIRROR%/}/\1#" {} +
fi

missing=()
for package in "$@"; do
  [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get -q -o Acquire::Retries=3 update
apt-get -q -o Acquire::Retries=3 install --yes --no-install-recommends "${missing[@]}"
apt-get clean  # its caches alone are 80 MB; Debian's own image has a hook for that, others have none
rm -rf /var/lib/apt/lists/*
