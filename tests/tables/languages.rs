//! Rows for `tests/languages.rs`.

use muster::directory::group::FilterLanguage::{self, Entra, Ldap, Opath};

/// A text, and what it is in another language.
#[rustfmt::skip]
pub const CONVERSIONS: &[(FilterLanguage, &str, FilterLanguage, &str)] = &[
    (Opath, "Department -eq 'Sales'", Ldap, "(department=Sales)"),
    (Opath, "(RecipientType -eq 'UserMailbox') -and (City -eq 'Dublin')", Ldap, "(&(&(objectClass=user)(objectCategory=person)(mailNickname=*)(msExchHomeServerName=*))(l=Dublin))"),
    (Opath, "Title -like '*Director*' -or Title -like 'Head*' -or Title -like '*Lead'", Ldap, "(|(title=*Director*)(title=Head*)(title=*Lead))"),
    (Opath, "-not(Department -eq 'R&D (Berlin)*')", Ldap, "(!(department=R&D \\28Berlin\\29\\2a))"),
    (Opath, "HiddenFromAddressListsEnabled -eq $false -and Company -ne $null", Ldap, "(&(!(msExchHideFromAddressLists=TRUE))(company=*))"),
    (Opath, "WhenCreated -gt '8/1/2017 2:00:00 PM' -and MaxReceiveSize -ge 25MB", Ldap, "(&(&(whenCreated=*)(!(whenCreated<=20170801140000.0Z)))(delivContLength>=25600))"),
    (Opath, "CountryOrRegion -eq 'Germany' -and PrimarySmtpAddress -like '*@contoso.example'", Ldap, "(&(c=DE)(proxyAddresses=smtp:*@contoso.example))"),
    (Opath, "Guid -eq '45ad6645-57a8-4fef-ad2f-ac5bd3de7d7c' -and CountryCode -gt 276", Ldap, "(&(objectGUID=\\45\\66\\ad\\45\\a8\\57\\ef\\4f\\ad\\2f\\ac\\5b\\d3\\de\\7d\\7c)(countryCode>=277))"),
    (Opath, "RecipientTypeDetails -like '*SharedMailbox' -and IsHierarchyReady -eq 'True'", Ldap, "(&(|(msExchRecipientTypeDetails=4)(msExchRecipientTypeDetails=34359738368))(!(msExchProvisioningFlags:1.2.840.113556.1.4.803:=524288)))"),
    (Opath, "ObjectClass -eq 'user' -and Department -like 'Sales*' -and EmailAddresses -ne 'a@x.example'", Entra, "((user.department -startsWith \"Sales\") -and (user.proxyAddresses -all (_ -ne \"a@x.example\")))"),
    (Opath, "Department -eq 'It''s'", Opath, "(Department -eq 'It''s')"),
    (Ldap, "(&(objectCategory=person)(objectClass=user)(department=Sales)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))", Entra, "((user.department -eq \"Sales\") -and (-not (user.accountEnabled -eq false)))"),
    (Ldap, "(&(objectClass=user)(|(l=Berlin)(l=B*n*))(!msExchHideFromAddressLists=TRUE))", Opath, "((ObjectClass -eq 'user') -and ((City -eq 'Berlin') -or (City -like 'B*n*')) -and (-not(HiddenFromAddressListsEnabled -eq $true)))"),
    (Ldap, "(whenCreated>=20200101000000.0Z)", Opath, "(WhenCreated -ge '2020-01-01T00:00:00Z')"),
    (Ldap, "(&(&( department=a )))", Ldap, "(&(&(department=a )))"),
    (Entra, "user.department -in [\"Sales\",\"O'Neill\"] -and not (user.jobTitle -startsWith \"SDE\")", Opath, "((ObjectClass -eq 'user') -and (((Department -eq 'Sales') -or (Department -eq 'O''Neill')) -and (-not(Title -like 'SDE*'))))"),
    (Entra, "user.department -in [\"Sales\",\"R(D)\"] -and user.accountEnabled -eq true", Ldap, "(&(objectClass=user)(&(|(department=Sales)(department=R\\28D\\29))(&(userAccountControl=*)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))))"),
    (Entra, "user.proxyAddresses -any (_ -startsWith \"contoso\")", Opath, "((ObjectClass -eq 'user') -and (EmailAddresses -like 'contoso*'))"),
    (Entra, "user.objectId -ne null", Opath, "((ObjectClass -eq 'user') -and (Alias -ne $null))"),
    (Entra, "user.objectId -ne null", Ldap, "(&(objectClass=user)(objectClass=*))"),
    (Entra, "user.state -ne \"WA\"", Entra, "(user.state -ne \"WA\")"),
];

/// A text, a language, a part of the clause that cannot be said there, a part of the reason.
#[rustfmt::skip]
pub const INEXPRESSIBLE: &[(FilterLanguage, &str, FilterLanguage, &str, &str)] = &[
    (Opath, "EmailAddressPolicyEnabled -eq $true", Ldap, "EmailAddressPolicyEnabled", "no attribute of Active Directory"),
    (Opath, "MaxReceiveSize -gt 1000", Ldap, "MaxReceiveSize", "whole kilobytes"),
    (Opath, "RecipientType -eq 'Computer'", Ldap, "RecipientType", "no mail recipient has the type"),
    (Opath, "RecipientType -like 'Mail*'", Ldap, "RecipientType", "whole values only"),
    (Opath, "RecipientTypeDetails -eq 'SharedWithMailUser'", Ldap, "RecipientTypeDetails", "no number is published"),
    (Opath, "ExtensionCustomAttribute1 -gt 'a'", Ldap, "ExtensionCustomAttribute1", "several values"),
    (Opath, "Guid -like '45ad*'", Ldap, "Guid", "as a whole only"),
    (Opath, "Department -eq 'Sales'", Entra, "Department -eq 'Sales'", "finds users only"),
    (Opath, "ObjectClass -eq 'user' -and RecipientType -eq 'UserMailbox'", Entra, "RecipientType -eq 'UserMailbox'", "no recipient types"),
    (Opath, "ObjectClass -eq 'user' -and Office -like 'a*b'", Entra, "Office -like 'a*b'", "regular expression"),
    (Opath, "ObjectClass -eq 'user' -and Office -gt 'a'", Entra, "Office -gt 'a'", "by order"),
    (Opath, "ObjectClass -eq 'user' -and MemberOfGroup -eq 'CN=A,DC=x'", Entra, "MemberOfGroup", "by object id"),
    (Opath, "ObjectClass -eq 'user' -and Pager -eq '1'", Entra, "Pager", "no property"),
    (Ldap, "(userAccountControl:1.2.840.113556.1.4.803:=2)", Opath, "UserAccountControl", "not their bits"),
    (Ldap, "(memberOf:1.2.840.113556.1.4.1941:=CN=A,DC=x)", Opath, "MemberOfGroup", "direct members"),
    (Ldap, "(displayName=*\\2a)", Opath, "DisplayName", "always a wildcard"),
    (Ldap, "(&(department=a)(employeeID=7)(lastLogon=0))", Opath, "EmployeeId", "no property"),
    (Ldap, "(&(department=a)(employeeID=7)(lastLogon=0))", Opath, "LastLogon", "no property"),
    (Ldap, "(countryCode=8*)", Opath, "CountryCode", "no text"),
    (Entra, "user.displayName -match \"^Da.*\"", Opath, "DisplayName", "no regular expressions"),
    (Entra, "user.displayName -match \"^Da.*\"", Ldap, "DisplayName", "no regular expressions"),
    (Entra, "user.accountEnabled -eq true", Opath, "AccountEnabled", "UserAccountControl"),
    (Entra, "user.userType -eq \"Guest\"", Opath, "UserType", "GuestMailUser"),
    (Entra, "user.employeehiredate -ge system.now -plus p1d", Ldap, "EmployeeHireDate", "no attribute"),
    (Entra, "user.assignedPlans -any (assignedPlan.service -eq \"SCO\" -and assignedPlan.capabilityStatus -eq \"Enabled\")", Opath, "AssignedPlans", "fields of one element"),
    (Entra, "user.memberof -any (group.objectId -in ['a', 'b'])", Ldap, "MemberOfGroup", "fields of one element"),
    (Entra, "Direct Reports for \"62e19b97-8b3d-4d4a-a106-4ce66896a863\"", Ldap, "Manager", "not by object id"),
    (Entra, "Direct Reports for \"62e19b97-8b3d-4d4a-a106-4ce66896a863\"", Opath, "Manager", "not by object id"),
    (Entra, "user.extension_c272a57b722d4eb29bfe327874ae79cb_OfficeNumber -eq \"123\"", Opath, "OfficeNumber", "no property"),
];

/// A text and what it says.
#[rustfmt::skip]
pub const ENGLISH: &[(FilterLanguage, &str, &str)] = &[
    (Opath, "Office -eq 'Berlin'", "everyone whose Office is Berlin"),
    (Opath, "((((RecipientType -eq 'UserMailbox') -and (Department -eq 'Computers'))) -and (-not(Name -like 'SystemMailbox{*')) -and (-not(Name -like 'CAS_{*')) -and (-not(RecipientTypeDetailsValue -eq 'MailboxPlan')) -and (-not(RecipientTypeDetailsValue -eq 'DiscoveryMailbox')) -and (-not(RecipientTypeDetailsValue -eq 'ArbitrationMailbox')))", "every mailbox whose Department is Computers"),
    (Opath, "(RecipientTypeDetails -eq 'UserMailbox') -and (Title -like 'Director*' -or Title -like 'Manager*') -and (StateOrProvince -eq 'WA')", "every user mailbox whose Title begins with Director or Manager and whose State or province is WA"),
    (Opath, "(RecipientType -eq 'UserMailbox') -and (StateOrProvince -eq 'WA' -or StateOrProvince -eq 'OR' -or StateOrProvince -eq 'ID')", "every mailbox whose State or province is WA, OR or ID"),
    (Opath, "Department -like '*sales*' -and Office -ne 'Bern' -and -not(Title -like '*Intern') -and Company -eq $null", "everyone whose Department contains sales and who has no Company, except those whose Office is Bern or whose Title ends with Intern"),
    (Opath, "(RecipientTypeDetails -eq 'UserMailbox' -or RecipientTypeDetails -eq 'SharedMailbox') -and -not(RecipientTypeDetails -eq 'RoomMailbox')", "every user mailbox or shared mailbox, except room mailboxes"),
    (Opath, "CustomAttribute15 -eq 'FAB' -or Department -eq 'A' -and Office -eq 'B'", "everyone whose Custom attribute 15 is FAB or (whose Department is A and whose Office is B)"),
    (Opath, "-not(Department -eq 'A' -and Office -eq 'B') -and ExtensionCustomAttribute1 -eq 'red' -and ExtensionCustomAttribute2 -ne 'blue'", "everyone one of whose Extension custom attribute 1 values is red, except those (whose Department is A and whose Office is B) or one of whose Extension custom attribute 2 values is blue"),
    (Opath, "WhenCreated -gt '8/1/2017 2:00:00 PM' -and WhenCreated -lt '2020-01-01' -and MaxReceiveSize -ge 25MB", "everyone whose creation date is after 1 August 2017 14:00:00 and whose creation date is before 1 January 2020 and whose Max receive size is at least 25 MB"),
    (Opath, "HiddenFromAddressListsEnabled -eq $false -and ModerationEnabled -eq 'True' -and CountryOrRegion -like 'United*'", "everyone who is shown in address lists and who is moderated and whose country begins with United"),
    (Opath, "MemberOfGroup -eq 'CN=All Sales,OU=Groups,DC=contoso,DC=example' -and Manager -eq 'CN=Boss,OU=Sales,DC=contoso,DC=example'", "everyone who is a direct member of All Sales [CN=All Sales,OU=Groups,DC=contoso,DC=example] and whose Manager is Boss [CN=Boss,OU=Sales,DC=contoso,DC=example]"),
    (Opath, "Office -eq 'Berlin ' -and Company -eq 'Fish, Chips and Co'", "everyone whose Office is \"Berlin \" and whose Company is \"Fish, Chips and Co\""),
    (Opath, "ThrottlingPolicy -ne $null", "everyone who has a Throttling policy (which is not held here)"),
    (Opath, "-not(-not(Office -eq 'Berlin')) -and (City -eq 'a' -or (Title -eq 'b' -and -not(Company -eq 'c')))", "everyone whose Office is Berlin and (whose City is a or (whose Title is b and whose Company is not c))"),
    (Ldap, "(&(objectCategory=person)(objectClass=user)(!(userAccountControl:1.2.840.113556.1.4.803:=2))(physicalDeliveryOfficeName=Berlin))", "every user whose Office is Berlin, except those whose account is disabled"),
    (Ldap, "(|(memberOf:1.2.840.113556.1.4.1941:=CN=Boss,DC=x)(msExchRecipientTypeDetails=2147483648)(department>=M))", "everyone who is a member of Boss [CN=Boss,DC=x], directly or through other groups, whose recipient type is RemoteUserMailbox or whose Department is at least M"),
    (Ldap, "(&(mailNickname=*)(displayName=A*n*a)(delivContLength<=10240)(!(department=*)))", "everyone whose Display name looks like A*n*a and whose Max receive size is at most 10 MB and who has no Department"),
    (Entra, "user.department -in [\"Sales\",\"Marketing\",\"IT\"] -and user.accountEnabled -eq true", "everyone whose Department is Sales, Marketing or IT and whose account is enabled"),
    (Entra, "user.assignedPlans -any (assignedPlan.servicePlanId -eq \"efb8\" -and assignedPlan.capabilityStatus -eq \"Enabled\")", "everyone who has an assigned plan whose service plan id is efb8 and whose status is Enabled"),
    (Entra, "user.assignedPlans -all (assignedPlan.servicePlanId -eq null)", "everyone who has no assigned plan"),
    (Entra, "user.employeehiredate -ge system.now -plus p1d", "everyone whose Employee hire date is a day or more ahead"),
    (Entra, "user.employeehiredate -le system.now -minus p90d -and user.userPrincipalName -notMatch \"^.+@x$\"", "everyone whose Employee hire date is 90 days or more ago, except those whose user principal name matches the expression ^.+@x$"),
    (Entra, "Direct Reports for \"62e19b97-8b3d-4d4a-a106-4ce66896a863\"", "everyone who reports directly to the object 62e19b97-8b3d-4d4a-a106-4ce66896a863"),
    (Entra, "user.memberof -any (group.objectId -in ['a', 'b'])", "everyone who is a direct member of a group whose object id is a or b"),
    (Entra, "user.extension_c272a57b722d4eb29bfe327874ae79cb_OfficeNumber -eq \"123\"", "everyone whose extension property OfficeNumber is 123"),
    (Entra, "device.displayName -eq \"x\"", "nobody: the rule is about devices"),
];
