"""Each sector's own columns: what stands in them, in which words, and how they go wrong.

The header, the codes and the places' coding are those of `sources.toml` and the Table Schemas; a test holds the two
together. A column is named once here, in the order in which the sector delivers it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from rnu.settings import Period, Source, Unit
from rnu.synthetic.country import Country
from rnu.synthetic.people import Cse, Document, Int32, Int64, People
from rnu.synthetic.render import NO_DAY, Text, dates, day_number, digits, joined, pick, plain, put, text
from rnu.synthetic.rosters import Claims, Defect, Habits, Rows, Rule, documented
from rnu.synthetic.schools import Level, Schools
from rnu.synthetic.words import COMMITTEES, DISABILITIES, MEN, NOTES, SURNAMES, WOMEN

Columns = dict[str, Text]

ISO, SLASHED, COMPACT, DASHED = "%Y-%m-%d", "%d/%m/%Y", "%Y%m%d", "%d-%m-%Y"


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a sector writes from: its rows, the people (or schools) behind them, and the codes it uses."""

    source: Source
    country: Country
    people: People
    schools: Schools
    rows: Rows
    cut: Period

    # --- persons ---

    @property
    def ids(self) -> Int64:
        """The persons' ids, row by row."""
        return self.people.id[self.rows.who]

    @property
    def households(self) -> Int32:
        """The persons' households, row by row."""
        return self.people.household[self.rows.who]

    def some(self, what: str, choices: int) -> Int64:
        """An arbitrary number below `choices`, always the same for a person."""
        return self.people.chaff(what, choices, self.ids)

    def number(self, habits: Habits) -> Text:
        """Document numbers: DNI with eight digits unless the zeros were lost, cards with nine, else nothing."""
        who, kinds = self.rows.who, self.people.document[self.rows.who]
        out = digits(self.people.dni[who], 8)
        short = self.rows.shortened
        out = put(out, short, plain(self.people.dni[who[short]]))
        card = kinds == Document.CE
        out = put(out, card, digits(self.people.ce[who[card]], 9))
        none = ~documented(self.people, who, habits)
        return put(out, none, text([""] * int(none.sum())))

    def document_type(self) -> Text:
        """The code of the kind of document, nothing where there is none."""
        codes = self.source.codes.document_type
        return pick(["", _code(codes, "dni"), _code(codes, "ce")], self.people.document[self.rows.who])

    def sex(self) -> Text:
        """The code of the sex."""
        codes = self.source.codes.sex
        return pick([_code(codes, "hombre"), _code(codes, "mujer")], self.people.female[self.rows.who].astype(np.int8))

    def cse(self) -> Text:
        """The code of the roster's own classification, nothing where there is none."""
        codes = self.source.codes.cse
        words = [_code(codes, c.name.lower()) for c in Cse if c is not Cse.BLANK]
        return pick([*words, ""], np.where(self.rows.cse == Cse.BLANK, len(words), self.rows.cse))

    def active(self) -> Text:
        """The code for a user of this cut, or for one no more."""
        codes = self.source.codes.active
        return pick([_code(codes, "no"), _code(codes, "si")], self.rows.active.astype(np.int8))

    def birth(self, pattern: str) -> Text:
        """Birth dates."""
        return dates(self.people.birth[self.rows.who], pattern)

    def father_name(self) -> Text:
        """First surname: the household's for its head and most others."""
        own = np.where(
            self.some("spouse", 10) < 3, self.some("first", 9973), self.people.chaff("kin", 9973, self._home())
        )
        return pick(SURNAMES, own % len(SURNAMES))

    def mother_name(self) -> Text:
        """Second surname."""
        return pick(SURNAMES, self.some("second", len(SURNAMES)))

    def given_names(self) -> Text:
        """Given names that go with the sex."""
        index = self.some("given", min(len(MEN), len(WOMEN)))
        return pick([*MEN, *WOMEN], np.where(self.people.female[self.rows.who], len(MEN) + index, index))

    def household_code(self, width: int) -> Text:
        """A code of the household."""
        return digits(10_000_000 + self._home(), width)

    def since(self, pattern: str, first_year: int, *, missing: int = 0) -> Text:
        """A past day, nothing for `missing` in a hundred; never before the year, nor before birth."""
        last = day_number(self.cut.last_day())
        first = day_number(date(first_year, 1, 1))
        day = np.maximum(first + self.some("since", last - first), self.people.birth[self.rows.who])
        return dates(np.where(self.some("lapse", 100) < missing, NO_DAY, day).astype(np.int32), pattern)

    def _home(self) -> Int64:
        return self.people.id[self.people.head[self.households]]

    # --- places and other words ---

    def ubigeo(self) -> Text:
        """District codes, as the source numbers places."""
        reniec = self.source.place_coding == "reniec"
        return self.place([d.reniec if reniec else d.code for d in self.country.districts])

    def place(self, words: Sequence[str]) -> Text:
        """What `words` has for each row's district."""
        return pick(words, self.rows.place)

    def department(self) -> Text:
        """Departments' names, in capitals."""
        return self.place([_capitals(d.department) for d in self.country.districts])

    def province(self) -> Text:
        """Provinces' names, in capitals."""
        return self.place([_capitals(d.province) for d in self.country.districts])

    def district(self) -> Text:
        """Districts' names, in capitals."""
        return self.place([_capitals(d.name) for d in self.country.districts])

    def choice(self, what: str, words: Sequence[str]) -> Text:
        """A word for each person, always the same."""
        return pick(words, self.some(what, len(words)))


def _code(codes: Mapping[str, str], meaning: str) -> str:
    """How a source writes a meaning down; nothing if it has no code for it."""
    return next((code for code, means in codes.items() if means == meaning), "")


def _capitals(name: str) -> str:
    """As the sectors write names: capitals, accents lost, ñ kept."""
    return name.upper().translate(str.maketrans("ÁÉÍÓÚÜ", "AEIOUU"))


def impossible(pattern: str) -> str:
    """The 31st of February, in a date pattern."""
    return pattern.replace("%d", "31").replace("%m", "02").replace("%Y", "1987")


# --- the sectors -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Layout:
    """One sector's delivery: its columns, its habits, its share of the people, and the look of its lines."""

    columns: Callable[[Sheet], Columns]
    habits: Habits
    share: float  # rows per person, roughly
    unit: Unit = Unit.PERSON
    by_department: bool = False  # a file (or member of a ZIP) for each
    line_end: str = "\n"
    quote_all: bool = False
    dates: tuple[str, ...] = ()  # XLSX: columns that are real dates
    numbers: tuple[str, ...] = ()  # XLSX: columns that are real numbers
    above: tuple[str, ...] = ()  # XLSX: what stands above the header
    row_number: str = ""  # XLSX: column that numbers the rows of the sheet


def _pgh(s: Sheet) -> Columns:
    people, home = s.people, s.households
    checked = s.since(COMPACT, 2018, missing=12)
    nameless = people.document[s.rows.who] == Document.NONE
    return {
        "co_hogar": s.household_code(12),
        "co_ubigeo": s.ubigeo(),
        "in_cse_nivpobreza": s.cse(),
        "fe_cse_ticket_vigencia_ini": dates(people.valid_from[home], COMPACT),
        "fe_cse_ticket_vigencia_fin": dates(people.valid_until[home], COMPACT),
        "in_doc_nacimiento": s.document_type(),
        "nu_doc_nacimiento": s.number(PGH),
        "ap_primer": s.father_name(),
        "ap_segundo": s.mother_name(),
        "prenombre_inscrito": s.given_names(),
        "de_genero": s.sex(),
        "fe_nacimiento": s.birth(COMPACT),
        "fe_reniec": put(checked, nameless, text([""] * int(nameless.sum()))),
    }


PGH = Habits(
    defects=(
        Defect(Rule.TYPE, "fe_nacimiento", impossible(COMPACT)),
        Defect(Rule.TYPE, "fe_cse_ticket_vigencia_ini", impossible(COMPACT)),
        Defect(Rule.CONSTRAINT, "de_genero", "9"),
        Defect(Rule.CONSTRAINT, "in_cse_nivpobreza", ""),
        Defect(Rule.CONSTRAINT, "nu_doc_nacimiento", "4O71B226"),
        Defect(Rule.FOREIGN_KEY, "co_ubigeo", "999999"),
        Defect(Rule.EXTRA),
        Defect(Rule.MISSING, "fe_reniec"),
    )
)


def _sis(s: Sheet) -> Columns:
    return {
        "TIPO_DOC": s.document_type(),
        "NRO_DOC": s.number(SIS),
        "AP_PATERNO": s.father_name(),
        "AP_MATERNO": s.mother_name(),
        "NOMBRES": s.given_names(),
        "SEXO": s.sex(),
        "FEC_NACIMIENTO": s.birth(ISO),
        "UBIGEO": s.ubigeo(),
        "CSE": s.cse(),
        "REGIMEN": s.choice("regime", ("SUBSIDIADO", "SUBSIDIADO", "SUBSIDIADO", "PARA TODOS", "SEMICONTRIBUTIVO")),
        "ESTADO": s.active(),
        "FEC_AFILIACION": s.since(ISO, 2012, missing=3),
    }


SIS = Habits(
    claims=Claims.SOME,
    retired=0.01,
    zeros_lost=0.01,
    defects=(
        Defect(Rule.TYPE, "FEC_NACIMIENTO", impossible(ISO)),
        Defect(Rule.CONSTRAINT, "FEC_NACIMIENTO", ""),
        Defect(Rule.CONSTRAINT, "SEXO", "X"),
        Defect(Rule.CONSTRAINT, "NRO_DOC", "7B43O912"),
        Defect(Rule.FOREIGN_KEY, "UBIGEO", "999999"),
        Defect(Rule.EXTRA),
        Defect(Rule.MISSING, "FEC_AFILIACION"),
    ),
)


def _juntos(s: Sheet) -> Columns:
    districts = s.country.districts
    bimester = text([f"{s.cut.year}{(s.cut.month + 1) // 2:02d}"] * len(s.rows))
    return {
        "id_corte": bimester,
        "c_depa": s.place([d.code[:2] for d in districts]),
        "c_prov": s.place([d.code[2:4] for d in districts]),
        "c_dist": s.place([d.code[4:] for d in districts]),
        "codigohogar": s.household_code(10),
        "x_dni": s.number(JUNTOS),
        "cse": s.cse(),
        "hogar_cse_vigencia_fin": dates(s.people.valid_until[s.households], ISO),
        "tipo_padron": s.choice("kind", ("1", "1", "1", "2")),
        "estado": s.active(),
    }


JUNTOS = Habits(
    claims=Claims.POOR,
    foreigners=False,
    retired=0.008,
    defects=(
        Defect(Rule.TYPE, "hogar_cse_vigencia_fin", impossible(ISO)),
        Defect(Rule.CONSTRAINT, "cse", "P.E."),
        Defect(Rule.CONSTRAINT, "tipo_padron", ""),
        Defect(Rule.CONSTRAINT, "x_dni", "1A2B3C4D"),
        Defect(Rule.FOREIGN_KEY, "c_dist", "99", field="c_depa + c_prov + c_dist"),
        Defect(Rule.EXTRA),
    ),
)


def _pension65(s: Sheet) -> Columns:
    return {
        "DEPARTAMENTO": s.department(),
        "PROVINCIA": s.province(),
        "DISTRITO": s.district(),
        "UBIGEO": s.ubigeo(),
        "DNI": s.number(PENSION65),
        "APELLIDO PATERNO": s.father_name(),
        "APELLIDO MATERNO": s.mother_name(),
        "NOMBRES": s.given_names(),
        "SEXO": s.sex(),
        "FECHA NACIMIENTO": s.birth(SLASHED),
        "CSE": s.cse(),
        "MODALIDAD PAGO": s.choice("pay", ("CUENTA", "CUENTA", "CARRITO PAGADOR", "AGENTE")),
        "FECHA INGRESO": s.since(SLASHED, 2012),
    }


PENSION65 = Habits(
    claims=Claims.EXTREME,
    foreigners=False,
    zeros_lost=0.05,
    defects=(
        Defect(Rule.TYPE, "FECHA NACIMIENTO", impossible(SLASHED)),
        Defect(Rule.CONSTRAINT, "SEXO", "M"),
        Defect(Rule.CONSTRAINT, "MODALIDAD PAGO", ""),
        Defect(Rule.CONSTRAINT, "DNI", "0123X567"),
        Defect(Rule.FOREIGN_KEY, "UBIGEO", "260101"),
        Defect(Rule.EXTRA),
        Defect(Rule.MISSING, "FECHA INGRESO"),
    ),
)


def _qaliwarma(s: Sheet) -> Columns:
    ids, n = s.schools.id[s.rows.who], len(s.rows)

    def some(what: str, choices: int) -> Int64:
        return s.people.chaff(what, choices, ids)

    number, width = some("local", 1_000_000), some("width", 10)
    local = put(digits(number, 7), width < 3, digits(number[width < 3], 6))  # widths differ between regions' offices
    local = put(local, width == 9, text([""] * int((width == 9).sum())))
    committee = joined([s.department(), pick(["1", "2", "3"], some("buyer", 3))], " ")
    return {
        "FechaActualizacion": text([s.cut.last_day().strftime(SLASHED)] * n),
        "Departamento": s.department(),
        "Provincia": s.province(),
        "Distrito": s.district(),
        "Ubigeo": s.ubigeo(),
        "CentroPoblado": pick(COMMITTEES, some("hamlet", len(COMMITTEES))),
        "UnidadTerritorial": joined(["", s.department()], " "),
        "CodigoIIEEQW": plain(1 + ids % 9_999_999),
        "CodigoModularIIEE": digits(200_000 + (ids * 7_919) % 9_700_003, 7),
        "CodigoAnexoIIEE": pick(["0", "1"], (some("annex", 40) == 0).astype(np.int8)),
        "InstitucionEducativa": joined(
            [plain(some("school", 90_000)), pick(COMMITTEES, some("name", len(COMMITTEES)))], " "
        ),
        "NivelEducativo": pick([level.name for level in Level], s.schools.level[s.rows.who]),
        "CodigoLocalMinedu": local,
        "DireccionIIEE": joined([pick(SURNAMES, some("street", len(SURNAMES))), "S/N"], " "),
        "NroUsuarios": plain(s.schools.pupils[s.rows.who]),
        "ComiteCompra": committee,
        "Item": s.district(),
        "ModalidadAtencion": pick(["PRODUCTOS", "PRODUCTOS", "RACIONES"], some("mode", 3)),
    }


QALIWARMA = Habits(
    defects=(
        Defect(Rule.TYPE, "FechaActualizacion", impossible(SLASHED)),
        Defect(Rule.CONSTRAINT, "NroUsuarios", ""),
        Defect(Rule.TYPE, "NroUsuarios", "S/D"),
        Defect(Rule.CONSTRAINT, "NivelEducativo", "BASICA"),
        Defect(Rule.FOREIGN_KEY, "Ubigeo", "999999"),
        Defect(Rule.EXTRA),
        Defect(Rule.MISSING, "ModalidadAtencion"),
    )
)


def _cunamas(s: Sheet) -> Columns:
    carer = 10_000_000 + s.some("carer", 79_999_999)
    return {
        "Ubigeo": s.ubigeo(),
        "Servicio": s.choice("service", ("SCD", "SAF", "SAF")),
        "Comité": s.choice("committee", COMMITTEES),
        "TipoDocumento": s.document_type(),
        "NumeroDocumento": s.number(CUNAMAS),
        "ApellidoPaterno": s.father_name(),
        "ApellidoMaterno": s.mother_name(),
        "Nombres": s.given_names(),
        "Sexo": s.sex(),
        "FechaNacimiento": s.birth(SLASHED),
        "DniCuidador": digits(carer, 8),
        "FechaIngreso": s.since(SLASHED, 2023),
    }


CUNAMAS = Habits(
    zeros_lost=0.1,
    defects=(
        Defect(Rule.TYPE, "FechaNacimiento", impossible(SLASHED)),
        Defect(Rule.CONSTRAINT, "Sexo", "F"),
        Defect(Rule.CONSTRAINT, "Servicio", ""),
        Defect(Rule.CONSTRAINT, "NumeroDocumento", "EN TRAMITE"),
        Defect(Rule.FOREIGN_KEY, "Ubigeo", "999999"),
        Defect(Rule.EXTRA),
        Defect(Rule.MISSING, "FechaIngreso"),
    ),
)


def _contigo(s: Sheet) -> Columns:
    districts = s.country.districts
    surnames = joined([s.father_name(), s.mother_name()], " ")
    return {
        "N°": plain(np.arange(1, len(s.rows) + 1)),  # of this block: the sheet's writer knows how many came before
        "Ubigeo": s.ubigeo(),
        "Departamento": s.place([d.department for d in districts]),
        "Provincia": s.place([d.province for d in districts]),
        "Distrito": s.place([d.name for d in districts]),
        "Tipo doc.": s.document_type(),
        "N° documento": s.number(CONTIGO),
        "Apellidos y nombres": joined([surnames, s.given_names()], ", "),
        "Sexo": s.sex(),
        "Fecha de nacimiento": s.birth(ISO),
        "Clasificación": s.cse(),
        "Tipo de discapacidad": s.choice("disability", DISABILITIES),
        "Fecha de certificado": s.since(ISO, 2016, missing=5),
    }


CONTIGO = Habits(
    claims=Claims.ALL,
    zeros_lost=1.0,  # the sheet holds DNIs as numbers
    defects=(
        Defect(Rule.TYPE, "Fecha de nacimiento", impossible(ISO)),
        Defect(Rule.CONSTRAINT, "Sexo", "MASC."),
        Defect(Rule.CONSTRAINT, "Tipo de discapacidad", ""),
        Defect(Rule.CONSTRAINT, "N° documento", "S/DNI"),
        Defect(Rule.FOREIGN_KEY, "Ubigeo", "999999"),
    ),
)


def _foncodes(s: Sheet) -> Columns:
    return {
        "NUCLEO_EJECUTOR": joined(["NE", s.ubigeo()], "-"),
        "UBIGEO": s.ubigeo(),
        "COD_HOGAR": s.household_code(9),
        "DNI_JEFE": s.number(FONCODES),
        "AP_PATERNO_JEFE": s.father_name(),
        "AP_MATERNO_JEFE": s.mother_name(),
        "NOMBRES_JEFE": s.given_names(),
        "CSE": s.cse(),
        "TIPO_PROYECTO": s.choice("project", ("HAKU WIÑAY", "HAKU WIÑAY", "NOA JAYATAI")),
        "FECHA_INICIO": s.since(ISO, 2022),
    }


FONCODES = Habits(
    claims=Claims.SOME,
    foreigners=False,
    zeros_lost=0.3,
    defects=(
        Defect(Rule.TYPE, "FECHA_INICIO", impossible(ISO)),
        Defect(Rule.CONSTRAINT, "CSE", "POBRE"),
        Defect(Rule.CONSTRAINT, "TIPO_PROYECTO", ""),
        Defect(Rule.CONSTRAINT, "DNI_JEFE", "?"),
        Defect(Rule.FOREIGN_KEY, "UBIGEO", "999999"),
        Defect(Rule.EXTRA),
        Defect(Rule.MISSING, "FECHA_INICIO"),
    ),
)


def _pca(s: Sheet) -> Columns:
    return {
        "ubigeo": s.ubigeo(),
        "centro_atencion": joined(["Comedor", s.choice("canteen", COMMITTEES)], " "),
        "modalidad": s.choice("mode", ("COMEDORES", "COMEDORES", "HOGARES", "RIESGO", "PANTBC")),
        "tipo_documento": s.document_type(),
        "numero_documento": s.number(PCA),
        "apellidos": joined([s.father_name(), s.mother_name()], " "),
        "nombres": s.given_names(),
        "sexo": s.sex(),
        "fecha_nacimiento": s.birth(DASHED),
        "vigente": s.active(),
        "observacion": s.choice("note", NOTES),
    }


PCA = Habits(
    retired=0.012,
    zeros_lost=0.3,
    defects=(
        Defect(Rule.TYPE, "fecha_nacimiento", impossible(DASHED)),
        Defect(Rule.CONSTRAINT, "sexo", "H"),
        Defect(Rule.CONSTRAINT, "modalidad", ""),
        Defect(Rule.CONSTRAINT, "numero_documento", "43.215.67A"),
        Defect(Rule.FOREIGN_KEY, "ubigeo", "999999"),
        Defect(Rule.EXTRA),
        Defect(Rule.MISSING, "observacion"),
    ),
)


def _vasoleche(s: Sheet) -> Columns:
    people, who = s.people, s.rows.who
    adult = people.birth[who] < day_number(s.cut.last_day()) - 15 * 365
    carrying = adult & people.female[who] & (s.some("carrying", 3) == 0)
    small = people.birth[who] > day_number(s.cut.last_day()) - 7 * 365
    yes_no = ("NO", "SI")
    return {
        "tipo_documento": s.document_type(),
        "numero_documento": s.number(VASOLECHE),
        "apellido_paterno": s.father_name(),
        "apellido_materno": s.mother_name(),
        "nombres": s.given_names(),
        "sexo": s.sex(),
        "fecha_nacimiento": s.birth(SLASHED),
        "ubigeo": s.ubigeo(),
        "distrito": s.district(),
        # a delimiter inside quotes, as committees' names have it
        "comite": s.choice("committee", [*COMMITTEES, '"SAN JOSÉ; SECTOR ""EL ALTO"""', '"LAS MERCEDES; ZONA B"']),
        "cse": s.cse(),
        "prioridad": pick(["2", "1"], (small | carrying).astype(np.int8)),
        "gestante": pick(yes_no, carrying.astype(np.int8)),
        "discapacidad": pick(yes_no, (s.some("disabled", 40) == 0).astype(np.int8)),
        "tbc": pick(yes_no, (s.some("ill", 200) == 0).astype(np.int8)),
        "activo": s.active(),
    }


VASOLECHE = Habits(
    claims=Claims.UNCLASSIFIED,
    retired=0.015,
    zeros_lost=0.2,
    reniec=True,
    defects=(
        Defect(Rule.TYPE, "fecha_nacimiento", impossible(SLASHED)),
        Defect(Rule.CONSTRAINT, "sexo", "MUJER"),
        Defect(Rule.CONSTRAINT, "prioridad", ""),
        Defect(Rule.CONSTRAINT, "numero_documento", "N.N."),
        Defect(Rule.FOREIGN_KEY, "ubigeo", "999999"),
        Defect(Rule.EXTRA),
    ),
)

CONTIGO_HEADING = (
    "MINISTERIO DE DESARROLLO E INCLUSIÓN SOCIAL",
    "PROGRAMA CONTIGO – PADRÓN DE USUARIOS",
    "Documento de trabajo. Contiene datos personales.",
    "",
)

LAYOUTS = {
    "pgh": Layout(_pgh, PGH, 0.77, by_department=True),
    "sis": Layout(_sis, SIS, 0.495, by_department=True),
    "juntos": Layout(_juntos, JUNTOS, 0.023, Unit.HOUSEHOLD, quote_all=True),
    "pension65": Layout(_pension65, PENSION65, 0.017, line_end="\r\n"),
    "qaliwarma": Layout(_qaliwarma, QALIWARMA, 0.002, Unit.INSTITUTION),
    "cunamas": Layout(_cunamas, CUNAMAS, 0.005, line_end="\r\n"),
    "contigo": Layout(
        _contigo,
        CONTIGO,
        0.0043,
        dates=("Fecha de nacimiento", "Fecha de certificado"),
        numbers=("N°", "N° documento"),
        above=CONTIGO_HEADING,
        row_number="N°",
    ),
    "foncodes": Layout(_foncodes, FONCODES, 0.0036, Unit.HOUSEHOLD),
    "pca": Layout(_pca, PCA, 0.009, line_end="\r\n"),
    "vasoleche": Layout(_vasoleche, VASOLECHE, 0.027, by_department=True),
}


def columns(layout: Layout, sheet: Sheet) -> Columns:
    """The sheet's columns of text, with the broken cells in them; ragged rows are still whole."""
    out = layout.columns(sheet)
    for index, defect in enumerate(layout.habits.defects):
        if not defect.rule.ragged:
            struck = sheet.rows.defect == index
            out[defect.column] = put(out[defect.column], struck, text([defect.text] * int(struck.sum())))
    return out


def lines(layout: Layout, sheet: Sheet, delimiter: str) -> Text:
    """The sheet as lines of delimited text, line ends included; ragged rows have a cell too many or too few."""
    cells = list(columns(layout, sheet).values())
    mark = '"' if layout.quote_all else ""
    between, last = f"{mark}{delimiter}{mark}", f"{mark}{layout.line_end}"
    whole = _line(cells, mark, between, last)
    for index, defect in enumerate(layout.habits.defects):
        if defect.rule.ragged and (struck := sheet.rows.defect == index).any():
            at = np.flatnonzero(struck)
            row = [cell.take(at) for cell in cells]
            row = [*row, text(["1"] * len(at))] if defect.rule is Rule.EXTRA else row[:-1]
            whole = put(whole, struck, _line(row, mark, between, last))
    return whole


def header(layout: Layout, names: Sequence[str], delimiter: str) -> str:
    """The first line."""
    mark = '"' if layout.quote_all else ""
    return mark + f"{mark}{delimiter}{mark}".join(names) + mark + layout.line_end


def _line(cells: Sequence[Text], mark: str, between: str, last: str) -> Text:
    first = joined([mark, cells[0]], "") if mark else cells[0]
    return joined([first, *cells[1:-1], joined([cells[-1], last], "")], between)
