# muster for the bench: its settings per scenario, start and stop. Sourced, never run.
#
# In: the globals $port, $organisation, $protect (folder of the certificate, or empty) and the array hops (ports).

# write_muster FILE: as the durability scripts have it, with what a scenario asks for beyond that.
write_muster() {
    local file=$1
    write_config "$file" "$work/data" "$organisation/directory" "$port" "${hops[0]}" 1000
    sed -i 's/^accepted_domains = .*/accepted_domains = ["contoso.example", "fabrikam.example"]/' "$file"
    if ((${#hops[@]} > 1)); then
        sed -i 's/^default = "sink"$/&\ncloud = "second"/' "$file"
        cat >>"$file" <<TOML

[[next_hops]]
name = "second"
hosts = ["127.0.0.1:${hops[1]}"]
recipients_max = 1000
TOML
    fi
    if [[ -n $protect ]]; then
        sed -i -e 's/^role = "relay"$/&\ntls = "required"/' -e 's/^name = "sink"$/&\ntls = "required"/' "$file"
        cat >>"$file" <<TOML

[[certificates]]
certificate_file = "$protect/certificate.pem"
key_file = "$protect/key.pem"
TOML
    fi
}

# allow_sessions FILE COUNT: that many clients at once; the limit of each client's address stays as it is.
allow_sessions() {
    sed -i "s/^role = \"relay\"\$/&\\nsessions_max = $2/" "$1"
    printf '\n[limits]\nsessions_max = %s\n' "$2" >>"$1"
}

start_system_muster() {
    mkdir "$work/data"
    write_muster "$work/muster.toml"
    if [[ -n ${sessions_allowed:-} ]]; then allow_sessions "$work/muster.toml" "$sessions_allowed"; fi
    start_muster "$work/muster.toml" "$port"
    # Loading the directory is over: from here on the peak is that of mail.
    memory_start=$(peak_memory)
    echo 5 >"/proc/$muster_pid/clear_refs"
}

# peak_memory: KiB resident at most since the start, or since the peak was forgotten.
peak_memory() { sed -nE 's/^VmHWM:\s+([0-9]+) kB/\1/p' "/proc/$muster_pid/status"; }

stop_system_muster() {
    memory=$(peak_memory)
    stop_softly "$muster_pid"
    rm -rf "$work/data"
}
