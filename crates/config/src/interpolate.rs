//! `$name`, `${name}` and `${group.name}` in values, with `$$` (or `\$`) for a dollar sign.

/// Replaces every reference by what `lookup` gives for its name.
pub(crate) fn interpolate<E>(
    text: &str,
    mut lookup: impl FnMut(&str) -> Result<String, E>,
) -> Result<String, E> {
    let text = text.replace(r"\$", "$$");
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find('$') {
        out.push_str(&rest[..start]);
        let after = &rest[start + 1..];
        if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            rest = tail;
        } else if let Some((name, tail)) = reference(after) {
            out.push_str(&lookup(name)?);
            rest = tail;
        } else {
            // Not a reference, such as `$(tenant_id)s`.
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The name at the start of `text`, braced or plain, and what follows it.
fn reference(text: &str) -> Option<(&str, &str)> {
    if let Some(braced) = text.strip_prefix('{') {
        let end = name_length(braced)?;
        let tail = braced[end..].strip_prefix('}')?;
        return Some((&braced[..end], tail));
    }
    name_length(text).map(|end| text.split_at(end))
}

fn name_length(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    if !(first == '_' || first.is_ascii_alphabetic()) {
        return None;
    }
    let end = text.find(|c: char| !(c == '_' || c == '.' || c.is_ascii_alphanumeric()));
    Some(end.unwrap_or(text.len()))
}
