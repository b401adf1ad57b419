#!/bin/sh
# Tries make targets on a bare Debian of a named suite: each alone, in a chroot of its own, from a fresh clone of HEAD.
#
#     sudo tests/machines/debian.sh SUITE [OPTION...] [TARGET...]      # bookworm, trixie; default: demo test
#
# Needs root and debootstrap, and about 6 GB in TMPDIR. Mounts live in a namespace of their own and processes, too:
# however this ends, both end with it, and what is left to remove is a folder of plain files.
#
#   --cache DIR       keep the bare system and the packages of Debian and PyPI there for the next time; one run at a time
#   --mirror URL      of Debian's packages (default: debootstrap's)
#   --user            a user with sudo types the commands, not root
#   --ignore-sigint   as a background job: SIGINT and SIGHUP are ignored
set -eu

suite='' cache='' mirror='' options='' targets=''
while [ $# -gt 0 ]; do
  case $1 in
    --cache) cache=$2; shift ;;
    --mirror) mirror=$2; shift ;;
    --user | --ignore-sigint) options="$options $1" ;;
    -*) echo "unknown option $1" >&2; exit 2 ;;
    *) if [ -z "$suite" ]; then suite=$1; else targets="$targets $1"; fi ;;
  esac
  shift
done
[ -n "$suite" ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 2; }
[ "$(id -u)" = 0 ] || { echo "a chroot needs root: sudo $0" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "apt-get install debootstrap" >&2; exit 2; }

checkout=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/deploy-machine.XXXXXX")
child=''
trap '[ -z "$child" ] || kill -KILL "$child" 2>/dev/null || :; rm -rf --one-file-system "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
cache=${cache:-$work/cache}
mkdir -p "$cache/apt-$suite" "$cache/pip"
cache=$(cd "$cache" && pwd)
exec 9>"$cache/lock" # apt locks its cache without waiting: two runs that share one take turns
flock 9

# What reaches packages here reaches them there: proxies, indexes, certificates. And options of pytest.
certificates=etc/certificates-of-the-machine.pem
passed="LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY \
  PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST PIP_DEFAULT_TIMEOUT PIP_RETRIES PYTEST_ADDOPTS; do
  eval "value=\${$name:-}"
  [ -z "$value" ] || passed="$passed $name=$value"
done
bundle=${PIP_CERT:-${SSL_CERT_FILE:-}}
[ -z "$bundle" ] || passed="$passed PIP_CERT=/$certificates SSL_CERT_FILE=/$certificates"

bare() { # the bare system, into the folder $1
  if [ ! -e "$cache/$suite.tar" ]; then
    debootstrap --variant=minbase "$suite" "$work/bare" ${mirror:+"$mirror"} >"$work/debootstrap.log" ||
      { tail -n 20 "$work/debootstrap.log" >&2; exit 1; }
    tar -C "$work/bare" -cf "$cache/$suite.tar.part" . && mv "$cache/$suite.tar.part" "$cache/$suite.tar"
    rm -rf "$work/bare"
  fi
  mkdir "$1" && tar -C "$1" -xf "$cache/$suite.tar"
}

enter() { # in the background: runs the rest of the line in the system $root, first process of namespaces of its own
  # shellcheck disable=SC2016
  exec env -i unshare --mount --pid --ipc --uts --fork --kill-child --mount-proc="$root/proc" sh -euc '
    root=$1 home=$2 cache=$3 suite=$4; shift 4
    mount -t sysfs -o ro none "$root/sys"
    mount -t tmpfs -o mode=755 none "$root/dev"
    for node in null zero full random urandom tty; do
      : >"$root/dev/$node" && mount --bind "/dev/$node" "$root/dev/$node"
    done
    mkdir -m 1777 "$root/dev/shm" && mkdir "$root/dev/pts"
    mount -t tmpfs -o mode=1777 none "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 none "$root/dev/pts"
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
    for number in 0:stdin 1:stdout 2:stderr; do
      ln -s "/proc/self/fd/${number%:*}" "$root/dev/${number#*:}"
    done
    mount --bind "$cache/apt-$suite" "$root/var/cache/apt/archives"
    mount --bind "$cache/pip" "$root/$home/.cache/pip"
    exec chroot "$root" "$@"
  ' sh "$root" "$home" "$cache" "$suite" "$@"
}

home=root owner=0
case $options in *--user*) home=home/deploy owner=1000 ;; esac
# Debian's first user; pip does without a cache that is not its own.
chown -R "$owner:$owner" "$cache/pip"

failed=0
for target in ${targets:-demo test}; do
  root=$work/$target
  bare "$root"
  echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/machine" # a system that is thrown away need not survive a power cut
  mkdir -p "$root/var/cache/apt/archives/partial" "$root/$home/.cache/pip"
  [ ! -e /etc/resolv.conf ] || cp -L /etc/resolv.conf "$root/etc/resolv.conf"
  cp -L /etc/hosts "$root/etc/hosts"
  [ -z "$bundle" ] || cp -L "$bundle" "$root/$certificates"
  if command -v apt-config >/dev/null; then
    apt-config dump | grep -i '^Acquire::.*Proxy' >"$root/etc/apt/apt.conf.d/90machine" || :
  fi
  git -C "$checkout" -c safe.directory='*' clone --quiet --no-hardlinks "$checkout" "$root/srv/deploy"
  # shellcheck disable=SC2086
  enter env -i $passed HOME=/root sh /srv/deploy/tests/machines/commands.sh $options "$target" &
  child=$!
  wait "$child" || failed=1
  child=''
  rm -rf --one-file-system "$root"
done
exit $failed
