//! From octets to text: UTF-8, with or without a mark.

/// Why octets are no text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodingFault {
    /// Line, from 1; 0 if the whole file is meant.
    pub line: usize,
    /// Column, from 1; 0 if the whole file is meant.
    pub column: usize,
    /// What to do.
    pub message: &'static str,
}

/// Reads octets as UTF-8; a byte order mark is dropped.
pub fn text(octets: &[u8]) -> Result<&str, EncodingFault> {
    const UTF_16: &str = "the file is UTF-16, as PowerShell's `>` and Out-File write it; save it as UTF-8 \
         (Export-Csv -NoTypeInformation -Encoding UTF8)";
    const NOT_UTF_8: &str = "the file is not UTF-8, probably Windows-1252; save it as UTF-8";
    let octets = octets.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(octets);
    let head = octets.get(..octets.len().min(512)).unwrap_or(octets);
    if octets.starts_with(b"\xFF\xFE") || octets.starts_with(b"\xFE\xFF") || head.contains(&0) {
        return Err(EncodingFault {
            line: 0,
            column: 0,
            message: UTF_16,
        });
    }
    std::str::from_utf8(octets).map_err(|fault| {
        let valid = octets.get(..fault.valid_up_to()).unwrap_or(&[]);
        let valid = std::str::from_utf8(valid).unwrap_or("");
        let (line, column) = crate::connectors::document::line_and_column(valid, valid.len());
        EncodingFault {
            line,
            column,
            message: NOT_UTF_8,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_other_encodings() {
        assert_eq!(text(b"\xEF\xBB\xBFa"), Ok("a"));
        assert_eq!(text("grüße".as_bytes()), Ok("grüße"));
        assert!(text(b"\xFF\xFEa\0b\0").is_err_and(|fault| fault.message.contains("UTF-16")));
        assert!(text(b"a\0b\0").is_err_and(|fault| fault.message.contains("UTF-16")));
        let fault = text(b"Alias\nM\xFCller\n").expect_err("Windows-1252");
        assert_eq!((fault.line, fault.column), (2, 2));
    }
}
