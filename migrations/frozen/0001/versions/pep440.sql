-- PEP 440, as the `packaging` library reads it (packaging.python.org, version specifiers).
--
-- [N!]N(.N)*[{a|b|rc}N][.postN][.devN][+local], in many spellings: any case, a leading "v", spaces
-- around, separators "." "-" "_" or none, "alpha", "c", "pre", "rev", "-N" for a post release,
-- numbers left out or with leading zeros. Identity is the canonical spelling without trailing zeros
-- of the release, so 1.0 = 1 = v1.0.0. Local versions are part of the grammar and of the order; it
-- is policy, not grammar, that a public index refuses to publish them.
--
-- Order: epoch, release, pre (dev-only < a < b < rc < none), post (none < N), dev (N < none), local
-- (none < any; per segment end < text < number).
--
-- Key, read off the canonical spelling: epoch, release numbers, \x02; a letter for pre and its
-- number; post or \x02; dev or \x7f; for each local segment a number, or \x03 text \x01.

create function pkgdb.pep440_normalize(p_version text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := p_version;
    v_epoch   text collate "C";
    v_release text collate "C";
    v_rest    text collate "C";
    v_tag     text collate "C";
    v_number  text collate "C";
    v_pre     text collate "C";
    v_post    text collate "C";
    v_dev     text collate "C";
    v_local   text collate "C";
begin
    -- Most versions are canonical but for trailing zeros of the release, and done here.
    if pkgdb.version_fits(v_version) and v_version ~
        ('^(?:0|[1-9][0-9]*)(?:[.](?:0|[1-9][0-9]*))*'
         '(?:(?:a|b|rc)(?:0|[1-9][0-9]*))?'
         '(?:[.]post(?:0|[1-9][0-9]*))?(?:[.]dev(?:0|[1-9][0-9]*))?$')
    then
        return regexp_replace(v_version, '(?:[.]0)+(?=$|[.]?[a-z])', '');
    end if;

    -- The white space that Python strips, as far as it is ASCII.
    v_version := lower(btrim(v_version, E' \t\n\x0b\f\r\x1c\x1d\x1e\x1f'));
    if pkgdb.version_fits(p_version) is not true or v_version !~
        ('^v?(?:[0-9]+!)?[0-9]+(?:[.][0-9]+)*'
         '(?:[-_.]?(?:alpha|a|beta|b|preview|pre|c|rc)[-_.]?[0-9]*)?'
         '(?:-[0-9]+|[-_.]?(?:post|rev|r)[-_.]?[0-9]*)?'
         '(?:[-_.]?dev[-_.]?[0-9]*)?'
         '(?:[+][a-z0-9]+(?:[-_.][a-z0-9]+)*)?$')
    then
        raise exception using
            errcode = 'RG400',
            message = format('version %s is not PEP 440', pkgdb.quoted(p_version)),
            hint = '[N!]N(.N)*[{a|b|rc}N][.postN][.devN][+local], at most 255 characters.';
    end if;

    v_version := ltrim(v_version, 'v');
    v_local := split_part(v_version, '+', 2);
    v_version := split_part(v_version, '+', 1);
    if strpos(v_version, '!') > 0 then
        v_epoch := ltrim(split_part(v_version, '!', 1), '0');
        v_version := split_part(v_version, '!', 2);
    end if;
    v_release := v_version;
    if ltrim(v_version, '.0123456789') <> '' then
        v_release := substring(v_version from '^[0-9]+(?:[.][0-9]+)*');
        v_rest := substr(v_version, length(v_release) + 1);

        -- A "d" occurs in "dev" alone. Separators without a number after them mean nothing.
        if strpos(v_rest, 'd') > 0 then
            v_number := ltrim(split_part(v_rest, 'd', 2), 'ev-_.0');
            v_dev := '.dev' || coalesce(nullif(v_number, ''), '0');
            v_rest := rtrim(split_part(v_rest, 'd', 1), '-_.');
        end if;

        v_tag := substring(v_rest from '^[-_.]?(?:alpha|a|beta|b|preview|pre|c|rc)');
        if v_tag is not null then
            v_rest := substr(v_rest, length(v_tag) + 1);
            v_number := coalesce(substring(v_rest from '^[-_.]?[0-9]+'), '');
            v_rest := substr(v_rest, length(v_number) + 1);
            v_pre := case left(ltrim(v_tag, '-_.'), 1)
                    when 'a' then 'a' when 'b' then 'b' else 'rc' end
                || coalesce(nullif(ltrim(v_number, '-_.0'), ''), '0');
        end if;

        v_rest := ltrim(v_rest, '-_.');
        if v_rest <> '' then
            v_post := '.post' || coalesce(nullif(ltrim(v_rest, 'postrev-_.0'), ''), '0');
        end if;
    end if;

    if v_release ~ '(?:^|[.])0[0-9]' then
        v_release := regexp_replace(v_release, '(^|[.])0+(?=[0-9])', E'\\1', 'g');
    end if;
    v_release := regexp_replace(v_release, '(?:[.]0)+$', '');
    if v_local <> '' then
        v_local := '+' || regexp_replace(
            translate(v_local, '-_', '..'), '(^|[.])0+(?=[0-9]+(?:[.]|$))', E'\\1', 'g');
    end if;
    return concat(nullif(v_epoch, '') || '!', v_release, v_pre, v_post, v_dev, v_local);
end;
$$;
comment on function pkgdb.pep440_normalize is
    'The canonical spelling of a PEP 440 version without trailing zeros of its release; RG400 '
    'where it is none.';

create function pkgdb.pep440_key(p_version text)
returns bytea
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := pkgdb.pep440_normalize(p_version);
    v_pre     text collate "C";
    v_post    text collate "C";
    v_dev     text collate "C";
    v_local   text collate "C";
    v_part    text collate "C";
    v_tail    text collate "C";  -- what follows the release, null where nothing does
    v_key     text collate "C" := chr(4);
begin
    if ltrim(v_version, '.0123456789') <> '' then
        if strpos(v_version, '!') > 0 then
            v_key := pkgdb.number_key(split_part(v_version, '!', 1));
            v_version := split_part(v_version, '!', 2);
        end if;
        v_local := split_part(v_version, '+', 2);
        v_version := split_part(v_version, '+', 1);
        v_dev := split_part(v_version, '.dev', 2);
        v_version := split_part(v_version, '.dev', 1);
        v_post := split_part(v_version, '.post', 2);
        v_version := split_part(v_version, '.post', 1);
        v_pre := ltrim(v_version, '.0123456789');
        v_version := left(v_version, length(v_version) - length(v_pre));

        v_tail := case
                when v_pre <> '' then left(v_pre, 1) || pkgdb.number_key(ltrim(v_pre, 'abrc'))
                when v_dev <> '' and v_post = '' then 'D'
                else 'z'
            end
            || case when v_post = '' then chr(2) else pkgdb.number_key(v_post) end
            || case when v_dev = '' then chr(127) else pkgdb.number_key(v_dev) end;
        if v_local <> '' then
            foreach v_part in array string_to_array(v_local, '.')
            loop
                v_tail := v_tail || case
                    when ltrim(v_part, '0123456789') = '' then pkgdb.number_key(v_part)
                    else chr(3) || v_part || chr(1)
                end;
            end loop;
        end if;
    end if;

    foreach v_part in array string_to_array(v_version, '.')
    loop
        v_key := v_key || pkgdb.number_key(v_part);
    end loop;
    return (v_key || chr(2) || coalesce(v_tail, 'z' || chr(2) || chr(127)))::bytea;
end;
$$;
comment on function pkgdb.pep440_key is 'Order key of a PEP 440 version.';

-- A canonical spelling has an a, b, c (rc) or d (dev) in a prerelease; "post" has none of them.
create function pkgdb.pep440_is_prerelease(p_version text)
returns boolean
language sql
immutable parallel safe
return split_part(pkgdb.pep440_normalize(p_version) collate "C", '+', 1) ~ '[abcd]';
comment on function pkgdb.pep440_is_prerelease is
    'True where a PEP 440 version has a pre or a dev part.';
