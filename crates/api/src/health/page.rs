//! The health as a page, for people.

use std::fmt::Write as _;

use super::{CLASS, CheckResult, VERSION, now, platform};

/// The page; the blank lines are Keystone's.
pub(super) fn render(found: &[CheckResult], detailed: bool) -> String {
    let (server, heads) = if detailed {
        (
            server(),
            "<TH>\nKind\n</TH>\n<TH>\nReason\n</TH>\n<TH>\nDetails\n</TH>\n",
        )
    } else {
        (String::new(), "\n<TH>\nReason\n</TH>")
    };
    let rows: String = found.iter().map(|result| row(result, detailed)).collect();
    let end = if detailed { "\n" } else { "" };
    format!(
        "<HTML>\n<HEAD><TITLE>Healthcheck Status</TITLE></HEAD>\n<BODY>\n{server}\n\
         <H2>Result of {} checks:</H2>\n<TABLE bgcolor=\"#ffffff\" border=\"1\">\n<TBODY>\n<TR>\n\
         {heads}\n</TR>\n{rows}\n</TBODY>\n</TABLE>\n<HR></HR>\n{end}\n</BODY>\n</HTML>",
        found.len(),
    )
}

fn server() -> String {
    format!(
        "<H1>Server status</H1>\n<B>Current time:</B><PRE>{}</PRE>\n\
         <B>Python version:</B><PRE>{VERSION}</PRE>\n<B>Platform:</B><PRE>{}</PRE>\n<HR></HR>\n\
         <H2>Garbage collector:</H2>\n<B>Counts:</B><PRE>(0, 0, 0)</PRE>\n\
         <B>Thresholds:</B><PRE>(0, 0, 0)</PRE>\n<HR></HR>",
        now(),
        platform(),
    )
}

fn row(result: &CheckResult, detailed: bool) -> String {
    let reason = result.reason;
    if !detailed {
        return format!("<TR>\n\n    <TD>{reason}</TD>\n\n</TR>");
    }
    let details = escape(&result.details);
    format!("<TR>\n<TD>{CLASS}</TD>\n    <TD>{reason}</TD>\n<TD>{details}</TD>\n</TR>")
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' | '<' | '>' | '"' | '\'' => {
                let code = u32::from(char);
                let name = match char {
                    '&' => "amp".to_owned(),
                    '<' => "lt".to_owned(),
                    '>' => "gt".to_owned(),
                    _ => format!("#{code}"),
                };
                let _ = write!(escaped, "&{name};");
            }
            other => escaped.push(other),
        }
    }
    escaped
}
