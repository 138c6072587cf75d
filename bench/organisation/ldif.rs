//! The organisation for OpenLDAP: a schema, settings of a private server, entries, filters.
//!
//! Every attribute has a column of its own (`benchDepartment`) with the equality, ordering and substring rules
//! that ignore case, and an index for what filters ask of it: the peer is measured at its best.

use std::io::{self, Write};
use std::path::Path;

use muster::directory::attribute::Attribute;
use muster::directory::value::ValueRef;

use super::Organisation;

/// Every entry lies directly under it.
pub const SUFFIX: &str = "dc=bench";

/// The column that says which entries are users.
pub const CLASS: &str = "benchClass";

/// Attributes that filters ask for.
pub const COLUMNS: [Attribute; 20] = [
    Attribute::FirstName,
    Attribute::LastName,
    Attribute::Department,
    Attribute::Title,
    Attribute::Office,
    Attribute::City,
    Attribute::PostalCode,
    Attribute::StreetAddress,
    Attribute::CustomAttribute2,
    Attribute::Company,
    Attribute::StateOrProvince,
    Attribute::CountryOrRegion,
    Attribute::CustomAttribute3,
    Attribute::CustomAttribute4,
    Attribute::CustomAttribute5,
    Attribute::CustomAttribute6,
    Attribute::DisplayName,
    Attribute::UserPrincipalName,
    Attribute::Phone,
    Attribute::CustomAttribute1,
];

/// The name of an attribute in the peer's schema.
pub fn column(attribute: Attribute) -> String {
    format!("bench{attribute}")
}

/// The schema; it stands on OpenLDAP's own `core.schema`.
pub fn schema() -> String {
    // The arc of examples: RFC 4520 keeps 1.1 for experiments.
    let mut text = String::new();
    for (number, attribute) in COLUMNS.iter().enumerate() {
        text.push_str(&format!(
            "attributetype ( 1.1.2.1.{number} NAME '{}' EQUALITY caseIgnoreMatch ORDERING caseIgnoreOrderingMatch \
             SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )\n",
            column(*attribute)
        ));
    }
    text.push_str(&format!(
        "attributetype ( 1.1.2.1.99 NAME '{CLASS}' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )\n"
    ));
    let may: Vec<String> = COLUMNS.iter().map(|attribute| column(*attribute)).collect();
    text.push_str(&format!(
        "objectclass ( 1.1.2.2.1 NAME 'benchRecipient' SUP top STRUCTURAL MUST uid MAY ( {CLASS} $ {} ) )\n",
        may.join(" $ ")
    ));
    text
}

/// Settings of a private server that keeps everything in `folder`.
pub fn slapd_conf(folder: &Path, schemas: &Path, modules: &Path, map_bytes: u64) -> String {
    let folder = folder.display();
    let mut text = format!(
        "include {schemas}/core.schema\ninclude {folder}/bench.schema\nmodulepath {modules}\nmoduleload back_mdb\n\
         pidfile {folder}/slapd.pid\nsizelimit unlimited\ntimelimit unlimited\nthreads 4\n\
         database mdb\nmaxsize {map_bytes}\nsuffix \"{SUFFIX}\"\ndirectory {folder}/data\naccess to * by * read\n\
         index objectClass eq\nindex uid eq\nindex {CLASS} eq\n",
        schemas = schemas.display(),
        modules = modules.display(),
    );
    for attribute in COLUMNS {
        text.push_str(&format!("index {} pres,eq,sub\n", column(attribute)));
    }
    text
}

/// Writes people and groups as entries. Groups are candidates of a dynamic group as well.
pub fn write_entries(organisation: &Organisation, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\ndc: bench\no: bench\n"
    )?;
    for object in organisation.objects() {
        let uid = object.alias.as_deref().unwrap_or_default();
        writeln!(out, "dn: uid={uid},{SUFFIX}\nobjectClass: benchRecipient\nuid: {uid}")?;
        if let ValueRef::Texts(classes) = object.value(Attribute::ObjectClass)
            && classes.iter().any(|class| class == "user")
        {
            writeln!(out, "{CLASS}: user")?;
        }
        for attribute in COLUMNS {
            if let ValueRef::Text(value) = object.value(attribute) {
                writeln!(out, "{}: {value}", column(attribute))?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Writes the filters of all groups, one a line, in order.
pub fn write_filters(organisation: &Organisation, out: &mut dyn Write) -> io::Result<()> {
    for number in 0..organisation.groups() {
        writeln!(out, "{}", organisation.rule(number).ldap())?;
    }
    Ok(())
}
