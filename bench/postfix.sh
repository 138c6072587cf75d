# A private Postfix from Debian's package, tuned as fast as it goes without giving up its durability; sourced.
#
# Settings, queue and state lie in $work; nothing of /etc/postfix is read or changed. Needs root, because Postfix's
# master does. Its cleanup writes each message to a queue file and syncs it before the 250: that is not a setting.
# In: the globals $port, $organisation, $protect (folder of the certificate, or empty) and the array hops (ports).

postfix_version() { postconf -h mail_version; }

write_postfix() {
    local folder=$1 virtual= transports=
    [[ -s $organisation/postfix-virtual ]] && virtual=texthash:$organisation/postfix-virtual
    ((${#hops[@]} > 1)) && transports="inline:{fabrikam.example=smtp:[127.0.0.1]:${hops[1]}}"
    mkdir -p "$folder/etc" "$folder/queue" "$folder/data"
    chown postfix: "$folder/data"
    cat >"$folder/etc/main.cf" <<EOF
compatibility_level = 3.6
queue_directory = $folder/queue
data_directory = $folder/data
mail_owner = postfix
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = peer.contoso.example
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions =
default_transport = smtp:[127.0.0.1]:${hops[0]}
transport_maps = $transports
relayhost =
virtual_alias_domains =
virtual_alias_maps = $virtual
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_peername_lookup = no
$(postfix_tls)
message_size_limit = 104857600
mailbox_size_limit = 0
queue_minfree = 0
# Tuning.
in_flow_delay = 0s
default_process_limit = 100
initial_destination_concurrency = 20
default_destination_concurrency_limit = 20
default_destination_recipient_limit = 1000
default_recipient_limit = 200000
qmgr_message_recipient_limit = 200000
smtpd_recipient_limit = 200000
virtual_alias_expansion_limit = 200000
virtual_alias_recursion_limit = 200000
duplicate_filter_limit = ${DUPLICATE_FILTER_LIMIT:-0}
smtpd_client_connection_count_limit = 0
smtpd_client_event_limit_exceptions = static:all
smtpd_junk_command_limit = 100000
EOF
    cat >"$folder/etc/master.cf" <<EOF
127.0.0.1:$port inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
pickup unix n - n 60 1 pickup
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
tlsproxy unix - - n - 0 tlsproxy
anvil unix - - n - 1 anvil
EOF
}

# Sessions are cached on both sides and TLS connections used again, as without TLS.
postfix_tls() {
    if [[ -z $protect ]]; then
        printf 'smtpd_tls_security_level = none\nsmtp_tls_security_level = none\n'
        return
    fi
    cat <<CF
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = $protect/certificate.pem
smtpd_tls_key_file = $protect/key.pem
smtpd_tls_session_cache_database = btree:\$data_directory/smtpd_scache
smtp_tls_security_level = encrypt
smtp_tls_session_cache_database = btree:\$data_directory/smtp_scache
smtp_tls_connection_reuse = ${POSTFIX_TLS_REUSE:-yes}
CF
}

start_system_postfix() {
    write_postfix "$work/postfix"
    running_postfix=$work/postfix
    postfix -c "$work/postfix/etc" start >>"$work/postfix.log" 2>&1 || { cat "$work/postfix.log" >&2; fail "Postfix did not start"; }
    wait_until 20 listening "$port" || { cat "$work/postfix.log" >&2; fail "Postfix does not listen"; }
}

stop_system_postfix() {
    postfix -c "$work/postfix/etc" stop >>"$work/postfix.log" 2>&1 || true
    running_postfix=
    rm -rf "$work/postfix"
}

# A run that ends early must not leave its processes behind.
at_end() { if [[ -n ${running_postfix:-} ]]; then stop_system_postfix; fi; }
