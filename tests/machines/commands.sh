#!/bin/sh
# Tries make targets on a bare Debian or Ubuntu that is thrown away afterwards: a container, or the chroot of debian.sh.
#
#     sh tests/machines/commands.sh [--user] [--ignore-sigint] TARGET...
#
# Needs root: it installs what a bare system lacks (git, make, python3) and leaves everything else to the targets,
# which run in this checkout without a terminal. Prints what became of each and how long it took.
#
#   --user            a new user with sudo types the commands, in a copy of the checkout
#   --ignore-sigint   as a shell's background job or some CI runners: SIGINT and SIGHUP are ignored
set -eu

user='' signals=--default-signal=INT,HUP
while [ $# -gt 0 ]; do
  case $1 in
    --user) user=deploy ;;
    --ignore-sigint) signals=--ignore-signal=INT,HUP ;;
    -*) echo "unknown option $1" >&2; exit 2 ;;
    *) break ;;
  esac
  shift
done
[ $# -gt 0 ] || { echo "name a make target: demo, test" >&2; exit 2; }

cd "$(dirname "$0")/../.."
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends git make python3 python3-venv \
  ${user:+sudo} >/dev/null

as=''
if [ -n "$user" ]; then
  useradd --create-home --shell /bin/sh "$user"
  echo "$user ALL=(ALL) NOPASSWD: ALL" >"/etc/sudoers.d/$user"
  home=$(getent passwd "$user" | cut -d: -f6)
  cp -a . "$home/checkout"
  chown "$user:" "$home"
  [ ! -d "$home/.cache" ] || chown "$user:" "$home/.cache"
  chown -R "$user:" "$home/checkout"
  cd "$home/checkout"
  as="setpriv --reuid=$user --regid=$user --init-groups env HOME=$home USER=$user LOGNAME=$user"
fi

# shellcheck source=/dev/null
. /etc/os-release
failed=0
for target; do
  echo "== $PRETTY_NAME, ${user:-root}: make $target"
  began=$(date +%s) outcome=passed
  # shellcheck disable=SC2086
  setsid --wait $as env "$signals" make "$target" </dev/null || { outcome="FAILED ($?)"; failed=1; }
  echo "== $PRETTY_NAME, ${user:-root}: make $target $outcome in $(($(date +%s) - began)) s"
done
exit $failed
