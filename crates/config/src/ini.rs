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

/// The content of one file, and its syntax errors.
#[derive(Default)]
pub(crate) struct Document {
    pub(crate) sections: Vec<Section>,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) mistakes: Vec<(usize, &'static str)>,
}

/// Group names of oslo.config are case-insensitive, except for `DEFAULT`. Not so the id of an identity provider in a name.
pub(crate) fn normalized(group: &str) -> String {
    if group == "DEFAULT" {
        return group.to_owned();
    }
    match group.split_once(':') {
        Some((kind, id)) => format!("{}:{id}", kind.to_lowercase()),
        None => group.to_lowercase(),
    }
}

#[derive(PartialEq)]
enum Context {
    BeforeSections,
    In(String),
    /// After a malformed header, which is one mistake, not one for each line below.
    BadHeader,
}

/// The element that an indented line continues.
enum Continues {
    Nothing,
    Assignment,
    Mistake,
}

/// Parses a whole file; continues after a mistake, so that all are reported at once.
pub(crate) fn parse(text: &str) -> Document {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut document = Document::default();
    let mut context = Context::BeforeSections;
    let mut continues = Continues::Nothing;
    for (index, line) in text.split('\n').enumerate() {
        let number = index + 1;
        let line = line.trim_end();
        if line.is_empty() {
            continues = Continues::Nothing;
        } else if line.starts_with([' ', '\t']) {
            match continues {
                Continues::Assignment => {
                    if let Some(last) = document.assignments.last_mut() {
                        last.value.push('\n');
                        last.value.push_str(line.trim_start());
                    }
                }
                Continues::Nothing => document.mistakes.push((
                    number,
                    "the line is indented, but there is nothing above that it could continue",
                )),
                Continues::Mistake => {}
            }
        } else if line.starts_with('[') {
            continues = Continues::Nothing;
            context = header(line, number, &mut document);
        } else if line.starts_with(['#', ';']) {
            continues = Continues::Nothing;
        } else {
            continues = assignment(line, number, &context, &mut document);
        }
    }
    document
}

fn header(line: &str, number: usize, document: &mut Document) -> Context {
    let Some(name) = line[1..].strip_suffix(']') else {
        let text = "a section header must end with ] and nothing may follow it";
        document.mistakes.push((number, text));
        return Context::BadHeader;
    };
    if name.is_empty() {
        document.mistakes.push((number, "the section has no name"));
        return Context::BadHeader;
    }
    document.sections.push(Section {
        group: normalized(name),
        line: number,
    });
    Context::In(normalized(name))
}

fn assignment(line: &str, number: usize, context: &Context, document: &mut Document) -> Continues {
    let Some((name, value)) = line.split_once(['=', ':']) else {
        let text = "the line is neither a section, a comment nor an assignment (name = value)";
        document.mistakes.push((number, text));
        return Continues::Mistake;
    };
    let name = name.trim_end();
    if name.is_empty() {
        let text = "there is no option name before the = or :";
        document.mistakes.push((number, text));
        return Continues::Mistake;
    }
    match context {
        Context::In(group) => {
            document.assignments.push(Assignment {
                group: group.clone(),
                name: name.to_owned(),
                value: unquoted(value.trim()).to_owned(),
                line: number,
            });
            Continues::Assignment
        }
        Context::BeforeSections => {
            let text = "an option must stand under a section such as [DEFAULT]";
            document.mistakes.push((number, text));
            Continues::Mistake
        }
        Context::BadHeader => Continues::Mistake,
    }
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            // A single quote character alone is an empty value.
            return rest
                .strip_suffix(quote)
                .unwrap_or(if rest.is_empty() { "" } else { value });
        }
    }
    value
}
