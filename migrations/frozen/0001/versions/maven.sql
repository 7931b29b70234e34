-- Maven versions (ComparableVersion of Maven 3.8; POM reference, version order).
--
-- A version is a list of numbers and words, parted by "." or by a change between digits and
-- letters. "-" opens a list in the list, and so does such a change, and a word after "." that is
-- last or goes before a digit: 1.0.rc1 = 1-rc-1 = [1, [rc, [1]]]. An empty item is 0. Case is of no
-- account; a, b, m before a digit are alpha, beta, milestone; cr is rc; ga, final, release are the
-- null word. Nulls (0, the null word, empty lists) at the end of each list are dropped.
--
-- Lists compare item by item, word < list < number, and words alpha < beta < milestone < rc <
-- snapshot < null < sp < others, byte by byte. What only one of them has compares with nothing: it
-- is below where its first item that is not null is one of the words up to snapshot, else above.
--
-- That goes round: 1.0.BUILD-SNAPSHOT < 1.0.RC1 (word < list), 1.0.RC1 < 1.0, and 1.0 <
-- 1.0.BUILD-SNAPSHOT. Here whatever is below nothing is below whatever is above it, and within each
-- of the two the rule holds as it is: the one total order in which each version is on the same side
-- of its release as to Maven. Besides, ten zeros or more within a list are to Maven above any
-- number of nine digits; here they are 0.
--
-- Identity is the text, which has to be a name of a folder and no range. A prerelease has one of
-- the words up to snapshot, or is a snapshot to Maven: it ends in SNAPSHOT, or in the time and
-- number of a build of one.
--
-- Key, per item, below nothing: \x01 and a letter, where the \x01 is left out after the t, u or z
-- of another (a alpha, b beta, m milestone, r rc, s snapshot, t the null word, u a list, z 0);
-- nothing: \x02; above: \x03 \x01 the null word, \x03 \x02 sp, \x03 text \x01 another word, \x03
-- \x7f a list, and a number. A list is last in its list, so that one \x02 ends them all.

create function pkgdb.maven_normalize(p_version text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := p_version;
    v_wrong   text;
begin
    -- Most versions are of these characters, and done here.
    if octet_length(v_version) <= 250 and v_version ~ '^[0-9A-Za-z_+-][0-9A-Za-z_.+-]*$' then
        return v_version;
    end if;
    if pkgdb.version_fits(v_version) and v_version ~ '^[!-~]+$' then
        v_wrong := case
            when v_version ~ E'[\\\\/:"<>|?*]' then E'has one of \\ / : " < > | ? *'
            when v_version ~ '[][(),]' then 'is a range'
            when strpos(v_version, '${') > 0 then 'has an expression'
            when v_version in ('.', '..') then 'is no name of a folder'
        end;
        if v_wrong is null then
            return v_version;
        end if;
    end if;
    raise exception using
        errcode = 'RG400',
        message = format('version %s %s', pkgdb.quoted(p_version),
                         coalesce(v_wrong, 'is not a Maven version')),
        hint = E'Printable ASCII, without spaces and \\ / : " < > | ? * [ ] ( ) , ${, at most 255 '
               'characters.';
end;
$$;
comment on function pkgdb.maven_normalize is 'A Maven version as it is; RG400 where it is none.';

create function pkgdb.maven_key(p_version text)
returns bytea
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := lower(pkgdb.maven_normalize(p_version) collate "C");
    v_item    text collate "C";
    v_word    text collate "C";
    v_nulls   text collate "C" := '';
    v_key     text collate "C" := '';
    v_empty   boolean := true;
begin
    -- One item between two dots: "-" before it opens a list; a word ends in \x01 before a digit and
    -- in \x02 where it is last.
    v_version := replace(v_version, '-', '.-');
    if v_version ~ '[^0-9.-]' then
        v_version := regexp_replace(v_version, '([0-9])(?=[^0-9.-])', E'\\1.-', 'g');
        v_version := regexp_replace(v_version, '([^0-9.-])(?=[0-9])', E'\\1\x01.-', 'g');
        v_version := regexp_replace(v_version, '[^0-9.-]$', E'\\&\x02');
    end if;

    foreach v_item in array string_to_array(v_version, '.')
    loop
        v_word := rtrim(v_item, E'\x01\x02');
        if left(v_item, 1) = '-' then
            v_word := substr(v_word, 2);
            v_empty := true;
            v_nulls := rtrim(v_nulls, E'\x04t') || 'u';
        elsif v_word <> v_item and not v_empty then
            v_nulls := rtrim(v_nulls, E'\x04t') || 'u';
        end if;
        v_empty := false;

        v_item := case
            when ltrim(v_word, '0123456789') = '' then pkgdb.number_key(v_word)
            else case v_word
                when 'alpha' then 'a'
                when 'beta' then 'b'
                when 'milestone' then 'm'
                when 'rc' then 'r'
                when 'cr' then 'r'
                when 'snapshot' then 's'
                when 'ga' then 't'
                when 'final' then 't'
                when 'release' then 't'
                when 'sp' then E'\x03\x02'
                else case
                    when ltrim(v_item, '-') in (E'a\x01', E'b\x01', E'm\x01') then v_word
                    else chr(3) || v_word || chr(1)
                end
            end
        end;

        -- Nulls wait for what follows: at the end of a list they are dropped.
        if v_item in (chr(4), 't') then
            v_nulls := v_nulls || v_item;
        elsif v_item between 'a' and 's' then
            v_key := v_key || chr(1) || translate(v_nulls, chr(4), 'z') || v_item;
            v_nulls := '';
        else
            v_key := v_key || replace(replace(v_nulls, 't', E'\x03\x01'), 'u', E'\x03\x7f')
                || v_item;
            v_nulls := '';
        end if;
    end loop;
    return (v_key || chr(2))::bytea;
end;
$$;
comment on function pkgdb.maven_key is 'Order key of a Maven version.';

create function pkgdb.maven_is_prerelease(p_version text)
returns boolean
language sql
immutable parallel safe
return lower(pkgdb.maven_normalize(p_version) collate "C") ~
    ('(?:^|[.0-9-])(?:(?:alpha|beta|milestone|rc|cr)(?:[.0-9-]|$)|snapshot[.0-9-]|[abm][0-9])'
     '|snapshot$|-[0-9]{8}\.[0-9]{6}-[0-9]+$');
comment on function pkgdb.maven_is_prerelease is
    'True where a Maven version has a qualifier below a release, or is a snapshot.';
