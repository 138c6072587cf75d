#!/usr/bin/env bash
# A real Postfix as client of muster and, at the same time, as its next hop.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

postfix_port="$(free_port)"
write_settings "$postfix_port"
pf="$scratch/postfix"
mkdir -p "$pf/etc" "$pf/queue" "$pf/lib" "$pf/mail"
chmod 755 "$scratch" "$pf"
chown postfix "$pf/lib"
nobody_ids="$(id -u nobody):$(id -g nobody)"
chown "$nobody_ids" "$pf/mail"
cat > "$pf/etc/main.cf" <<CF
compatibility_level = 3.6
queue_directory = $pf/queue
data_directory = $pf/lib
mail_owner = postfix
setgid_group = postdrop
myhostname = postfix.contoso.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
relayhost = [127.0.0.1]:$relay
virtual_mailbox_domains = contoso.example
virtual_mailbox_base = $pf/mail
virtual_mailbox_maps = inline:{ $(for n in $(seq 0 49); do printf '{p%s@contoso.example=all/} ' "$n"; done)}
virtual_uid_maps = static:$(id -u nobody)
virtual_gid_maps = static:$(id -g nobody)
maillog_file = $pf/mail.log
maillog_file_prefixes = $scratch
smtputf8_enable = yes
CF
# smtpd for muster's copies; the pickup side is not needed, clients come by a second smtpd that relays on.
client_port="$(free_port)"
cat > "$pf/etc/master.cf" <<CF
127.0.0.1:$postfix_port inet n - n - - smtpd
127.0.0.1:$client_port inet n - n - - smtpd -o virtual_mailbox_domains= -o cleanup_service_name=outward
cleanup unix n - n - 0 cleanup
outward unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
smtp unix - - n - - smtp
relay unix - - n - - smtp
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
CF
cat > "$scratch/stop-postfix" <<STOP
#!/bin/sh
postfix -c "$pf/etc" stop > /dev/null 2>&1
STOP
chmod +x "$scratch/stop-postfix"
postfix_stop="$scratch/stop-postfix"
postfix -c "$pf/etc" start > "$scratch/postfix-start.log" 2>&1
until_true "Postfix to listen" port_open "$postfix_port"
start_muster

# As next hop: 20 messages to groups of 50 become 1,000 files in one Maildir.
smtp-source -s 4 -m 20 -l 2000 -f x@outside.example -t fifty@contoso.example "127.0.0.1:$inbound"
delivered() { [ "$(find "$pf/mail/all/new" -type f 2>/dev/null | wc -l)" = "$1" ]; }
until_true "1000 copies in Postfix's Maildir" delivered 1000

# As client: Postfix relays an address outside its own domains to muster's relay listener.
swaks --silent 2 --server "127.0.0.1:$client_port" --from p1@contoso.example --to someone@elsewhere.example \
    --header 'Subject: by Postfix' --header 'X-Interop: client' > "$scratch/swaks.log" 2>&1
traced() { "$muster" --config "$scratch/muster.toml" trace --to someone@elsewhere.example --json | grep -q '"RECEIVE"'; }
until_true "muster to have the message from Postfix" traced
echo "Postfix as next hop: 20 messages, 1,000 copies; Postfix as client: accepted"
