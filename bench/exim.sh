# A private Exim from Debian's package, tuned as fast as it goes without giving up its durability; sourced.
#
# The package excludes Postfix's, so it is only unpacked, into the build folder; EXIM names another one. Settings,
# spool and logs lie in $work. Each message is two files of its own, synced before the 250: that is not a setting.
# Messages are delivered at once, by processes of their own: queue runners are slower here.
# In: the globals $port, $organisation, $protect (folder of the certificate, or empty) and the array hops (ports).

# find_exim: sets exim; fails if there is none and none can be had.
find_exim() {
    local cache=$repository/target/bench/exim package
    exim=${EXIM:-$cache/usr/sbin/exim4}
    if [[ ! -x $exim && -z ${EXIM:-} ]]; then
        mkdir -p "$work/packages"
        chmod 777 "$work/packages"
        (cd "$work/packages" && apt-get download -q exim4-daemon-light libidn12 >"$work/packages.log" 2>&1) || return 1
        for package in "$work"/packages/*.deb; do dpkg -x "$package" "$cache"; done
    fi
    [[ -x $exim ]] || return 1
    exim_libraries=$(echo "$(dirname "$exim")"/../lib/*-linux-gnu)
    id Debian-exim >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin Debian-exim
}

run_exim() { LD_LIBRARY_PATH=$exim_libraries "$exim" "$@"; }
exim_version() { run_exim -C /dev/null -bV 2>/dev/null | sed -nE '1s/^Exim version ([0-9.]+).*/\1/p' || true; }

# exim_transport NAME PORT
exim_transport() {
    cat <<CF
$1:
  driver = smtp
  port = $2
  allow_localhost
  max_rcpt = 1000
  tls_verify_certificates =
  tls_try_verify_hosts =
  $([[ -n $protect ]] && echo hosts_require_tls || echo hosts_avoid_tls) = *
CF
}

# People are told from groups by their names, so that only a group is looked up.
exim_routers() {
    cat <<CF
begin routers
groups:
  driver = redirect
  local_parts = !^p[0-9]
  data = \${lookup{\$local_part}lsearch{$organisation/exim-groups}}
CF
    if ((${#hops[@]} > 1)); then
        printf 'second:\n  driver = manualroute\n  domains = fabrikam.example\n  transport = second\n'
        printf '  route_list = * 127.0.0.1 byname\n  self = send\n'
    fi
    printf 'first:\n  driver = manualroute\n  transport = first\n  route_list = * 127.0.0.1 byname\n  self = send\n'
}

write_exim() {
    local folder=$1
    mkdir -p "$folder/spool" "$folder/log"
    cat >"$folder/exim.conf" <<CF
exim_path = $exim
exim_user = Debian-exim
exim_group = $(id -gn Debian-exim)
spool_directory = $folder/spool
log_file_path = $folder/log/%s.log
pid_file_path = $folder/exim.pid
primary_hostname = peer.contoso.example
local_interfaces = 127.0.0.1
daemon_smtp_ports = $port
keep_environment =
host_lookup =
rfc1413_hosts =
acl_smtp_rcpt = rcpt
message_size_limit = 100M
# Tuning.
remote_max_parallel = 8
split_spool_directory = true
deliver_drop_privilege = true
smtp_accept_max = 200
smtp_accept_max_per_connection = 1000000
smtp_accept_queue_per_connection = 0
$(if [[ -n $protect ]]; then
        printf 'tls_advertise_hosts = *\ntls_certificate = %s/certificate.pem\ntls_privatekey = %s/key.pem' "$protect" "$folder"
    else
        echo 'tls_advertise_hosts ='
    fi)
begin acl
rcpt:
  accept ${protect:+encrypted = *}
$(exim_routers)
begin transports
$(exim_transport first "${hops[0]}")
$(((${#hops[@]} > 1)) && exim_transport second "${hops[1]}")
begin retry
* * F,1h,1s
CF
    if [[ -n $protect ]]; then cp "$protect/key.pem" "$folder/key.pem"; fi
    chown -R Debian-exim "$folder"
    chown root "$folder/exim.conf"
}

start_system_exim() {
    write_exim "$work/exim"
    LD_LIBRARY_PATH=$exim_libraries "$exim" -C "$work/exim/exim.conf" -bdf >>"$work/exim.log" 2>&1 &
    exim_pid=$!
    started+=("$exim_pid")
    wait_until 20 listening "$port" || { cat "$work/exim.log" "$work"/exim/log/* >&2; fail "Exim does not listen"; }
}

exim_done() { [[ -z $(find "$work/exim/spool/input" -type f -print -quit 2>/dev/null) ]]; }

# Its deliveries are processes of their own: they have ended when the spool is empty.
stop_system_exim() {
    wait_until 20 exim_done || say "Exim still has messages in its spool"
    stop_softly "$exim_pid"
    wait_until 20 rm -rf "$work/exim"
}
