//! The syntax of one configuration file: sections, assignments, continuation lines, comments.

/// `name = value` under a section, its continuation lines joined by line feeds.
pub(crate) struct Assignment {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) line: usize,
}

/// A section's header.
pub(crate) struct Section {
    pub(crate) group: String,
    pub(crate) line: usize,
}

/// What one file says, and the lines that say nothing.
#[derive(Default)]
pub(crate) struct Document {
    pub(crate) sections: Vec<Section>,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) mistakes: Vec<(usize, &'static str)>,
}

/// The group names of oslo.config do not care about case, except for `DEFAULT`.
pub(crate) fn normalized(group: &str) -> String {
    if group == "DEFAULT" {
        group.to_owned()
    } else {
        group.to_lowercase()
    }
}

#[derive(PartialEq)]
enum Place {
    BeforeSections,
    In(String),
    /// Under a header that is no header: one mistake is reported, not one for each line below.
    Unreadable,
}

/// What a continuation line would continue.
enum Open {
    Nothing,
    Assignment,
    Mistake,
}

/// Reads a whole file; goes on after a mistake, so that all of them come up at once.
pub(crate) fn parse(text: &str) -> Document {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut document = Document::default();
    let mut place = Place::BeforeSections;
    let mut open = Open::Nothing;
    for (index, line) in text.split('\n').enumerate() {
        let number = index + 1;
        let line = line.trim_end();
        if line.is_empty() {
            open = Open::Nothing;
        } else if line.starts_with([' ', '\t']) {
            match open {
                Open::Assignment => {
                    if let Some(last) = document.assignments.last_mut() {
                        last.value.push('\n');
                        last.value.push_str(line.trim_start());
                    }
                }
                Open::Nothing => document.mistakes.push((
                    number,
                    "the line is indented, but there is nothing above that it could continue",
                )),
                Open::Mistake => {}
            }
        } else if line.starts_with('[') {
            open = Open::Nothing;
            place = header(line, number, &mut document);
        } else if line.starts_with(['#', ';']) {
            open = Open::Nothing;
        } else {
            open = assignment(line, number, &place, &mut document);
        }
    }
    document
}

fn header(line: &str, number: usize, document: &mut Document) -> Place {
    let Some(name) = line[1..].strip_suffix(']') else {
        let text = "a section header must end with ] and nothing may follow it";
        document.mistakes.push((number, text));
        return Place::Unreadable;
    };
    if name.is_empty() {
        document.mistakes.push((number, "the section has no name"));
        return Place::Unreadable;
    }
    document.sections.push(Section {
        group: normalized(name),
        line: number,
    });
    Place::In(normalized(name))
}

fn assignment(line: &str, number: usize, place: &Place, document: &mut Document) -> Open {
    let Some((name, value)) = line.split_once(['=', ':']) else {
        let text = "the line is neither a section, a comment nor an assignment (name = value)";
        document.mistakes.push((number, text));
        return Open::Mistake;
    };
    let name = name.trim_end();
    if name.is_empty() {
        let text = "there is no option name before the = or :";
        document.mistakes.push((number, text));
        return Open::Mistake;
    }
    match place {
        Place::In(group) => {
            document.assignments.push(Assignment {
                group: group.clone(),
                name: name.to_owned(),
                value: unquoted(value.trim()).to_owned(),
                line: number,
            });
            Open::Assignment
        }
        Place::BeforeSections => {
            let text = "an option must stand under a section such as [DEFAULT]";
            document.mistakes.push((number, text));
            Open::Mistake
        }
        Place::Unreadable => Open::Mistake,
    }
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            // A lone quote is its own end.
            return rest
                .strip_suffix(quote)
                .unwrap_or(if rest.is_empty() { "" } else { value });
        }
    }
    value
}
