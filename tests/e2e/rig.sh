#!/usr/bin/env bash
# A machine with cameras, for the end-to-end tests on machines that have none and may load no modules:
# a Linux guest with vivid (a webcam driver that needs no hardware) and v4l2loopback.
#
#   rig.sh [tcg] setup        installs Debian's packages and builds the guest, once (3-5 min); nothing if it is there
#   rig.sh [tcg] versions     prints the versions of v4l2loopback in it; nothing if it is not set up
#   rig.sh [tcg] ready        boots it once: exit status 0, or 69 and one line that says why it cannot run here
#   rig.sh [tcg] run CMD...   runs a command in a fresh guest; its exit status, or 99 if the guest died
#   rig.sh packages           the Debian packages that it needs, a line
#
#   (default)  User-Mode Linux, at native speed, without KVM, QEMU or root; the newest v4l2loopback
#   tcg        Debian's stock kernel in QEMU without KVM: 15-400 times slower, but several v4l2loopbacks
#
# The guest sees this machine's / read-only under a tmpfs, so the checkout and its virtual environment are at the
# same paths inside. Only RIG_OUT (a passing folder unless it is set) is shared for writing, as /out. There is no
# network but loopback. Nothing of the guest is installed on this machine.
#
# Settings: RIG_HOME (where it is kept), RIG_OUT, RIG_TIMEOUT_S, RIG_MEMORY_MB, RIG_CPUS.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${RIG_HOME:-/var/cache/faceswapd-rig}
[ -n "${RIG_HOME:-}" ] || [ "$(id -u)" = 0 ] || root=${XDG_CACHE_HOME:-$HOME/.cache}/faceswapd-rig
kind=uml; case ${1:-} in uml|tcg) kind=$1; shift ;; esac
rig=$root/$kind
packages="kmod iproute2 gcc make flex bison bc libelf-dev xz-utils ffmpeg v4l-utils chromium python3-venv"
[ $kind = uml ] || packages="kmod iproute2 gcc-12 gcc make ffmpeg v4l-utils chromium qemu-system-x86 busybox-static"

# --- what is fetched ------------------------------------------------------------------------------------------

install_packages() {
  local missing=(); local p
  for p in $packages; do dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q '^install ok' || missing+=("$p"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || { echo "rig: install first: apt-get install ${missing[*]}" >&2; exit 69; }
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

mirror() { # this machine's own Debian mirror, as apt knows it
  sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb +(\[[^]]*\] +)?([^ ]+).*/\2/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -m1 '/debian/*$'
}

suite() { # suite NAME APT-COMMAND...: apt on another Debian suite, with lists beside this machine's own
  local name=$1 list=$rig/$1.list lists=$rig/lists-$1; shift
  local o=(-o Dir::Etc::sourcelist="$list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$lists"
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
  if [ ! -e "$list" ]; then
    mkdir -p "$lists/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) $name main" >"$list"
    apt-get "${o[@]}" update -qq
  fi
  local tool=$1; shift; "apt-$tool" "${o[@]}" "$@"
}

download() { # download SUITE PACKAGE...: unpacked into tree/
  local name=$1; shift; mkdir -p "$rig/debs"
  (cd "$rig/debs" && suite "$name" get download -qq "$@" 2>/dev/null)
  local deb; for deb in "$rig"/debs/*.deb; do dpkg-deb -x "$deb" "$rig/tree"; done
  rm -rf "$rig/debs"
}

loopbacks() { # loopbacks MAKE-ARGUMENT...: builds every v4l2loopback in tree/ as loopback/VERSION.ko
  local source; mkdir -p "$rig/loopback"
  for source in "$rig"/tree/usr/src/v4l2loopback-*; do
    make -s "$@" M="$source" modules >>"$rig/build.log" 2>&1
    mv "$source/v4l2loopback.ko" "$rig/loopback/${source##*-}.ko"
  done
}

# --- User-Mode Linux ------------------------------------------------------------------------------------------

setup_uml() {
  local linux off
  linux=$(suite trixie-backports cache search --names-only '^linux-source-[0-9.]+$' | sort -V | tail -1 | cut -d' ' -f1)
  download trixie-backports "$linux"; download sid v4l2loopback-dkms
  tar -C "$rig" --exclude='*/drivers/gpu/drm/amd/include' -xf "$rig/tree/usr/src/$linux.tar.xz"
  rm "$rig/tree/usr/src/$linux.tar.xz"; cd "$rig/$linux"
  off="DEBUG_INFO DEBUG_KERNEL SOUND WLAN ETHERNET RC_CORE DVB_CORE MEDIA_PLATFORM_SUPPORT EXT4_FS BINFMT_MISC NO_IOMEM
    BLK_DEV_UBD BLK_DEV_LOOP BLK_DEV_NBD DUMMY TUN PPP SLIP AUTOFS_FS ISO9660_FS IOSCHED_BFQ CGROUPS SECCOMP NETFILTER"
  make -s ARCH=um defconfig
  # shellcheck disable=SC2046 # a word is an option
  ./scripts/config -e MODULES -e SMP --set-val NR_CPUS 4 -e VIRTIO_UML -e UML_PCI_OVER_VIRTIO -e DEVTMPFS -e OVERLAY_FS \
    -e HIGH_RES_TIMERS -e FB -e MEDIA_SUPPORT -d MEDIA_SUPPORT_FILTER -e MEDIA_CAMERA_SUPPORT -e MEDIA_TEST_SUPPORT \
    -e V4L_TEST_DRIVERS -m VIDEO_VIVID $(printf -- '-d %s ' $off)
  make -s ARCH=um olddefconfig
  make -s ARCH=um -j"$(nproc)" linux modules
  make -s ARCH=um INSTALL_MOD_PATH="$rig/tree" modules_install
  loopbacks -C "$rig/$linux" ARCH=um
  cp linux "$rig/linux.new"; cd "$rig"; rm -rf "${rig:?}/$linux"
}

boot_uml() {
  exec "$rig/linux" mem="${RIG_MEMORY_MB:-3072}M" seccomp=on ncpus="${RIG_CPUS:-1}" rootfstype=hostfs rootflags=/ ro \
    init="$here/init" rig="$rig" rigout="$RIG_OUT" con=null con0=fd:0,fd:1 quiet
}

# --- QEMU, emulating ------------------------------------------------------------------------------------------

dependency() { apt-cache depends "$1" | sed -n "s/.*Depends: \($2.*\)/\1/p" | head -1; }

setup_tcg() {
  local image release abi tree=$rig/tree initramfs=$rig/initramfs module s
  image=$(dependency linux-image-amd64 linux-image-6); release=${image#linux-image-}; abi=${release%-amd64}
  for s in trixie sid; do download $s v4l2loopback-dkms; done
  mkdir -p "$rig/debs"
  (cd "$rig/debs" && apt-get download -qq "$image" "linux-headers-$release" "linux-headers-$abi-common" \
    "$(dependency "linux-headers-$release" linux-kbuild)" v4l2loopback-dkms 2>/dev/null)
  for s in "$rig"/debs/*.deb; do dpkg-deb -x "$s" "$tree"; done; rm -rf "$rig/debs"
  depmod -b "$tree" "$release"
  echo "include $tree/usr/src/linux-headers-$abi-common/Makefile" >"$tree/usr/src/linux-headers-$release/Makefile"
  loopbacks -C "$tree/usr/src/linux-headers-$release"
  mkdir -p "$initramfs/bin" "$initramfs/modules"
  cp /bin/busybox "$initramfs/bin"; ln -sf busybox "$initramfs/bin/sh"; install -m755 "$here/init" "$initramfs/init"
  for module in virtio_pci 9pnet_virtio 9p overlay; do modprobe -d "$tree" -S "$release" --show-depends $module; done |
    awk '$1 == "insmod" && !seen[$2]++ {print $2}' |
    while read -r module; do cp "$module" "$initramfs/modules"; basename "$module"; done >"$initramfs/order"
  (cd "$initramfs" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$rig/initrd"
  cp "$tree/boot/vmlinuz-$release" "$rig/linux.new"
}

boot_tcg() { # AVX is hidden from the guest: TCG emulates it several times slower than SSE
  exec qemu-system-x86_64 -accel tcg,thread=multi -cpu max,-avx,-avx2,-fma -smp "${RIG_CPUS:-2}" \
    -m "${RIG_MEMORY_MB:-3072}" -nic none -display none -no-reboot -serial stdio -monitor none \
    -kernel "$rig/linux" -initrd "$rig/initrd" \
    -append "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off nokaslr rig=$rig rigout=$RIG_OUT" \
    -virtfs local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap \
    -virtfs local,path="$RIG_OUT",mount_tag=out,security_model=none
}

# --- commands -------------------------------------------------------------------------------------------------

is_set_up() { [ -s "$rig/linux" ]; }

versions() { ! is_set_up || (cd "$rig/loopback" && printf '%s\n' *.ko | sed 's/\.ko$//' | sort -V); }

ready() {
  [ "$(uname -s)" = Linux ] || { echo "the rig needs Linux"; return 69; }
  is_set_up || { echo "the rig is not set up: tests/e2e/rig.sh $kind setup"; return 69; }
  local console; console=$(RIG_TIMEOUT_S=60 run true) || { echo "the guest does not start here: ${console##*$'\n'}"; return 69; }
}

setup() {
  install_packages
  ! is_set_up || return 0
  [ -n "$(mirror)" ] || { echo "rig: apt knows no Debian mirror; the guest is built from Debian's packages" >&2; exit 69; }
  rm -rf "$rig"; mkdir -p "$rig"
  echo "rig: building the guest in $rig (3-5 min; build.log beside it)" >&2
  trap 'tail -n 20 "$rig/build.log" >&2' ERR
  set -E; "setup_$kind" >>"$rig/build.log" 2>&1
  rm -rf "$rig"/lists-* "$rig"/*.list
  mv "$rig/linux.new" "$rig/linux"
}

run() {
  local status
  is_set_up || { echo "rig: not set up: $0 $kind setup" >&2; exit 69; }
  [ -n "${RIG_OUT:-}" ] || { RIG_OUT=$(mktemp -d); trap 'rm -rf "$RIG_OUT"' EXIT; }
  mkdir -p "$RIG_OUT"; rm -f "$RIG_OUT/status"
  printf 'export RIG_HOME=%q RIG_KIND=%q PATH=%q; cd %q; exec %s\n' "$root" "$kind" "$PATH" "$PWD" "${*@Q}" >"$RIG_OUT/command"
  export -f boot_uml boot_tcg; export rig here RIG_OUT
  timeout --foreground -k 5 "${RIG_TIMEOUT_S:-900}" bash -c "boot_$kind" </dev/null 2>&1 | tr -d '\r' || true
  status=$(cat "$RIG_OUT/status" 2>/dev/null || echo 99); exit "$status"
}

case ${1:-} in
  setup) setup ;;
  versions) versions ;;
  ready) ready ;;
  run) shift; run "$@" ;;
  packages) echo "$packages" ;;
  *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 64 ;;
esac
