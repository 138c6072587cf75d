//! LDAP rows: what is accepted, refused and warned about, and whom it finds in the fixture of `tests/ldap.rs`.
//!
//! The `L` numbers are those of the collected samples: stored filters, published documentation, public scripts.

/// What becomes of a text.
pub enum Expect {
    /// Parses without a warning and finds these, in the order of the fixture.
    Finds(&'static [&'static str]),
    /// The same with these words in some warning.
    Doubts(&'static [&'static str], &'static str),
    /// Is refused at this line and column, and the sentence holds these words.
    Refuse(usize, usize, &'static str),
}

use Expect::{Doubts, Finds, Refuse};

/// Everybody in the fixture.
const ALL: &[&str] = &[
    "anna", "bert", "carl", "dora", "emil", "gina", "list", "safe", "dyn", "fold", "room",
];

#[rustfmt::skip]
pub const TEXTS: &[(&str, &str, Expect)] = &[
    ("L1", "(&(company=Diptyque)(st=France)(!(!(objectClass=user)))(objectCategory=person)(mailNickname=*)(msExchHomeServerName=*)(!(name=SystemMailbox{*))(!(name=CAS_{*))(!(msExchRecipientTypeDetails=16777216))(!(msExchRecipientTypeDetails=536870912))(!(msExchRecipientTypeDetails=68719476736))(!(msExchRecipientTypeDetails=8388608))(!(msExchRecipientTypeDetails=4398046511104))(!(msExchRecipientTypeDetails=70368744177664))(!(msExchRecipientTypeDetails=140737488355328))(!(msExchRecipientTypeDetails=35184372088832)))", Finds(&["anna"])),
    ("L2", "(&(physicalDeliveryOfficeName=MOA)(!(name=SystemMailbox{*))(!(name=CAS_{*))(!(msExchRecipientTypeDetails=16777216))(!(msExchRecipientTypeDetails=536870912))(!(msExchRecipientTypeDetails=8388608)))", Finds(&["anna", "bert", "emil"])),
    ("L3", "(&(objectClass=user)(objectCategory=person)(mailNickname=*)(msExchHomeServerName=*)(department=Computers)(!(name=SystemMailbox{*))(!(name=CAS_{*))(!(msExchRecipientTypeDetails=16777216))(!(msExchRecipientTypeDetails=536870912))(!(msExchRecipientTypeDetails=8388608)))", Finds(&["anna"])),
    ("L4", "(&(msExchRecipientTypeDetails=68719476736)(!(msExchProvisioningFlags:1.2.840.113556.1.4.803:=524288)))", Finds(&[])),
    ("L5", "(&(!cn=SystemMailbox{*})(&(&(&(& (mailnickname=*)(|(&(objectCategory=person)(objectClass=user)(!(homeMDB=*))(!(msExchHomeServerName=*)))(&(objectCategory=person)(objectClass=user)(|(homeMDB=*)(msExchHomeServerName=*)))(&(objectCategory=person)(objectClass=contact))(objectCategory=group)(objectCategory=publicFolder)(objectCategory=msExchDynamicDistributionList))))(objectCategory=user)(cn=C*)(cn=B*))))", Finds(&[])),
    ("L6", "(&(objectClass=user)(homeMDB=*)(department=Finance))", Finds(&["carl", "dora"])),
    ("L7", "(&(&(&(|(&(objectCategory=person)(objectSid=*)(!samAccountType:1.2.840.113556.1.4.804:=3))(&(objectCategory=person)(!objectSid=*))(&(objectCategory=group)(groupType:1.2.840.113556.1.4.804:=14))))(objectCategory=user)(memberOf=CN=SomeGroup,CN=Users,DC=contoso,DC=com)))", Finds(&["anna", "emil"])),
    ("L8", "(&(objectClass=user)(objectCategory=person)(|(msExchHomeServerName=*)(msExchRecipientTypeDetails=2147483648))(!msExchHideFromAddressLists=TRUE)(!useraccountcontrol:1.2.840.113556.1.4.803:=2))", Finds(&["anna", "bert"])),
    ("L9", "(&(mailnickname=*)(|(&(objectCategory=person)(objectClass=user)(!(homeMDB=*))(!(msExchHomeServerName=*)))(&(objectCategory=person)(objectClass=user)(|(homeMDB=*)(msExchHomeServerName=*)))(&(objectCategory=person)(objectClass=contact))(objectCategory=group)(objectCategory=publicFolder)(objectCategory=msExchDynamicDistributionList)))", Finds(ALL)),
    ("L10", "(&(&(& (mailnickname=*) (| (&(objectCategory=person)(objectClass=user)(!(homeMDB=*))(!(msExchHomeServerName=*)))(&(objectCategory=person)(objectClass=user)(|(homeMDB=*)(msExchHomeServerName=*)))(&(objectCategory=person)(objectClass=contact))(objectCategory=group)(objectCategory=publicFolder)(objectCategory=msExchDynamicDistributionList) ))))", Finds(ALL)),
    ("L11", "(&(objectCategory=person)(objectClass=user)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))", Finds(&["anna", "bert", "dora", "gina"])),
    ("L12", "(objectclass=msExchDynamicDistributionList)", Finds(&["dyn"])),
    ("L13", "(&(|(&(objectCategory=Group)(objectClass=Group)(|(groupType=8)(groupType=4)(groupType=2)))(objectCategory=ms-Exch-Dynamic-Distribution-List)(objectClass=msExchDynamicDistributionList)))", Finds(&["list", "dyn"])),
    ("L14", "(groupType:1.2.840.113556.1.4.803:=8)", Finds(&["list", "safe"])),
    ("L15", "(&(msExchHomeServerName=*)(mail=*))", Finds(&["anna", "carl", "dora", "room"])),
    ("L16", "(&(&(objectCategory=person)(objectClass=user))\n(&(mailnickname=*)(|(msExchhomeServerName=*)(homeMDB=*))\n(|(protocolSettings=*HTTP§0*)(protocolSettings=*OWA§0*))))", Finds(&["dora"])),
    ("L17", "(&(objectCategory=person)(objectClass=user))(|(lastLogon=0)(!(lastLogon=*)))", Refuse(1, 45, "a second filter begins here")),
    // Meaning beyond the samples.
    ("category by schema DN", "(objectCategory=CN=Group,CN=Schema,CN=Configuration,DC=contoso,DC=com)", Finds(&["list", "safe"])),
    ("bit or", "(groupType:1.2.840.113556.1.4.804:=6)", Finds(&[])),
    ("bit and of a security group", "(groupType:1.2.840.113556.1.4.803:=-2147483648)", Finds(&["safe"])),
    ("in chain", "(memberOf:1.2.840.113556.1.4.1941:=CN=Everybody,CN=Users,DC=contoso,DC=com)", Finds(&["anna", "emil", "list"])),
    ("direct only", "(memberOf=CN=Everybody,CN=Users,DC=contoso,DC=com)", Finds(&["list"])),
    ("escaped parentheses", "(displayName=Carl \\28Finance\\29)", Finds(&["carl"])),
    ("escaped star", "(displayName=\\2aDora\\2a)", Finds(&["dora"])),
    ("star beside an escaped one", "(displayName=\\2aDo*)", Finds(&["dora"])),
    ("escaped umlaut", "(l=Z\\c3\\bcrich)", Finds(&["anna"])),
    ("substrings", "(displayName=A*n*a*)", Finds(&["anna"])),
    ("present twice", "(department=**)", Finds(&["anna", "bert", "carl", "dora", "emil"])),
    ("not present", "(!(department=*))", Finds(&["gina", "list", "safe", "dyn", "fold", "room"])),
    ("negative holds for the absent", "(!(department=Finance))", Finds(&["anna", "bert", "emil", "gina", "list", "safe", "dyn", "fold", "room"])),
    ("approximately", "(department~=finance)", Finds(&["carl", "dora"])),
    ("greater or equal", "(department>=Finance)", Finds(&["carl", "dora"])),
    ("less or equal", "(department<=computers)", Finds(&["anna", "bert", "emil"])),
    ("time", "(whenCreated>=20200101000000.0Z)", Finds(&["carl"])),
    ("time with a zone", "(whenCreated<=20200615140000.0+0200)", Finds(&["anna"])),
    ("time without seconds", "(whenCreated>=202001010000Z)", Finds(&["carl"])),
    ("GUID in octets", "(objectGUID=\\45\\66\\ad\\45\\a8\\57\\ef\\4f\\ad\\2f\\ac\\5b\\d3\\de\\7d\\7c)", Finds(&["anna"])),
    ("GUID as text", "(objectGUID={45AD6645-57a8-4fef-ad2f-ac5bd3de7d7c})", Finds(&["anna"])),
    ("kilobytes", "(delivContLength>=10240)", Finds(&["list"])),
    ("address with type", "(proxyAddresses=SMTP:anna@x.example)", Finds(&["anna"])),
    ("another type of address", "(proxyAddresses=smtp:chat@x.example)", Finds(&[])),
    ("addresses by domain", "(proxyAddresses=*@x.example)", Finds(ALL)),
    ("default equality", "(department:=finance)", Finds(&["carl", "dora"])),
    ("long names", "(&(surname=Arnold)(stateOrProvinceName=France)(localityName=Zürich))", Finds(&["anna"])),
    ("one in a list", "(&(|(department=Finance)))", Finds(&["carl", "dora"])),
    ("blanks everywhere", " ( & \n ( department=Finance) ( ! (mailNickname=carl) ) ) ", Finds(&["dora"])),
    ("blanks belong to values", "(department= Finance)", Finds(&[])),
    ("false", "(msExchHideFromAddressLists=FALSE)", Doubts(&["anna", "bert", "carl", "emil", "gina", "list", "safe", "dyn", "fold", "room"], "reads FALSE here")),
    ("bare address", "(proxyAddresses=anna@x.example)", Doubts(&["anna"], "begin with their type")),
    ("no DN", "(memberOf=SomeGroup)", Doubts(&[], "takes a distinguished name")),
    ("part of a DN", "(memberOf=CN=Some*)", Doubts(&[], "takes no wildcards")),
    ("part of a number", "(countryCode=8*)", Doubts(&[], "takes no wildcards")),
    ("empty value", "(department=)", Doubts(&[], "no empty texts")),
    // Refused.
    ("empty", "  ", Refuse(1, 3, "empty")),
    ("no parentheses", "objectClass=user", Refuse(1, 1, "stands in parentheses")),
    ("unescaped parenthesis", "(displayName=*(EMC))", Refuse(1, 15, "written \\28")),
    ("unclosed", "(&(department=a)(company=b)", Refuse(1, 1, "never closed")),
    ("unclosed inside", "(&(department=a)(company=b", Refuse(1, 17, "never closed")),
    ("stray", "(department=a))", Refuse(1, 15, "closes nothing")),
    ("nothing", "()", Refuse(1, 1, "nothing stands between")),
    ("empty list", "(&)", Refuse(1, 2, "nothing stands behind this &")),
    ("empty alternatives", "(&(department=a)(|))", Refuse(1, 18, "nothing stands behind this |")),
    ("no operator before two", "((department=a)(company=b))", Refuse(1, 2, "need & (all of them) or |")),
    ("two in a not", "(!(department=a)(company=b))", Refuse(1, 17, "! takes one filter")),
    ("nothing in a not", "(!)", Refuse(1, 3, "a filter in parentheses after !")),
    ("text between", "(&(department=a) or (company=b))", Refuse(1, 18, "expected ( or )")),
    ("word for a sign", "(and (department=a))", Refuse(1, 6, "need & (all of them) or |")),
    ("unknown attribute", "(departmnet=a)", Refuse(1, 2, "did you mean department?")),
    ("Exchange's name", "(&(objectClass=user)\n  (Office=Berlin))", Refuse(2, 4, "did you mean physicalDeliveryOfficeName?")),
    ("no test", "(department)", Refuse(1, 12, "expected =, >=")),
    ("strict order", "(countryCode>800)", Refuse(1, 13, "write >=")),
    ("half an escape", "(displayName=a\\2)", Refuse(1, 15, "two hexadecimal digits")),
    ("backslash before a comma", "(memberOf=CN=Miller\\, Lena,DC=x)", Refuse(1, 20, "itself written \\5c")),
    ("old escape", "(displayName=a\\(b\\))", Refuse(1, 15, "two hexadecimal digits")),
    ("no text", "(displayName=\\ff\\fe)", Refuse(1, 14, "no UTF-8 text")),
    ("no number", "(countryCode=Germany)", Refuse(1, 14, "takes a whole number")),
    ("type by name", "(msExchRecipientTypeDetails=UserMailbox)", Refuse(1, 29, "takes a whole number")),
    ("no truth value", "(msExchHideFromAddressLists=yes)", Refuse(1, 29, "takes TRUE or FALSE")),
    ("small letters", "(msExchHideFromAddressLists=true)", Refuse(1, 29, "takes TRUE or FALSE")),
    ("no time", "(whenCreated>=2020-01-01)", Refuse(1, 15, "a generalized time")),
    ("time without a zone", "(whenCreated>=20200101000000)", Refuse(1, 15, "a generalized time")),
    ("no GUID", "(objectGUID=45ad6645)", Refuse(1, 13, "sixteen escaped octets")),
    ("no kilobytes", "(delivContLength>=25MB)", Refuse(1, 19, "a number of kilobytes")),
    ("unknown rule", "(groupType:1.2.840.113556.1.4.805:=8)", Refuse(1, 12, "did you mean 1.2.840.113556.1.4.80")),
    ("short rule", "(groupType:803:=8)", Refuse(1, 12, "did you mean 1.2.840.113556.1.4.803?")),
    ("rule without attribute", "(:1.2.840.113556.1.4.803:=8)", Refuse(1, 2, "needs an attribute")),
    ("in the DN", "(ou:dn:=Sales)", Refuse(1, 5, "not searched for in distinguished names")),
    ("bits of a text", "(department:1.2.840.113556.1.4.803:=8)", Refuse(1, 12, "cannot be compared with")),
    ("chain of a text", "(department:1.2.840.113556.1.4.1941:=CN=x)", Refuse(1, 12, "cannot be compared with")),
    ("star after a rule", "(department>=a*)", Refuse(1, 15, "written \\2a")),
    ("order of a truth value", "(msExchHideFromAddressLists>=TRUE)", Refuse(1, 28, "cannot be compared with >=")),
    ("OPATH", "Department -eq 'Sales'", Refuse(1, 1, "an OPATH filter")),
    ("OPATH in parentheses", "(Department -eq 'Sales')", Refuse(1, 2, "an OPATH filter")),
    ("Entra", "(user.department -eq \"Sales\")", Refuse(1, 2, "an Entra dynamic membership rule")),
    ("second line", "(&\n (department=a)\n (company b))", Refuse(3, 11, "expected =, >=")),
];

/// Attributes directories have and we do not: named, never read as missing.
pub const NOT_HELD: &[(&str, &str)] = &[
    ("(pwdLastSet=0)", "pwdLastSet"),
    ("(&(department=a)(!(division=b)))", "division"),
    ("(msExchArchiveQuota>=5)", "ArchiveQuota"),
];
