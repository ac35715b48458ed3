//! The tenants' companies: where they sit and what they bought.

/// A town a company has an office in.
pub struct Site {
    /// Office name.
    pub office: &'static str,
    /// Street and number.
    pub street: &'static str,
    /// Town.
    pub city: &'static str,
    /// State or province.
    pub state: &'static str,
    /// Postal code.
    pub postal: &'static str,
    /// Country name.
    pub country: &'static str,
    /// Two-letter country.
    pub iso: &'static str,
    /// Start of its telephone numbers.
    pub phone: &'static str,
}

/// Towns; a company has two or three neighbours of this list.
pub const SITES: &[Site] = &[
    Site {
        office: "Head Office",
        street: "14 Harbour Street",
        city: "Bristol",
        state: "England",
        postal: "BS1 4QA",
        country: "United Kingdom",
        iso: "GB",
        phone: "+44 117 496 0",
    },
    Site {
        office: "Leeds Depot",
        street: "3 Canal Road",
        city: "Leeds",
        state: "England",
        postal: "LS12 2TU",
        country: "United Kingdom",
        iso: "GB",
        phone: "+44 113 496 0",
    },
    Site {
        office: "København",
        street: "Østerbrogade 41",
        city: "København",
        state: "Hovedstaden",
        postal: "2100",
        country: "Denmark",
        iso: "DK",
        phone: "+45 3300 0",
    },
    Site {
        office: "Reykjavík",
        street: "Laugavegur 22",
        city: "Reykjavík",
        state: "Höfuðborgarsvæðið",
        postal: "101",
        country: "Iceland",
        iso: "IS",
        phone: "+354 555 0",
    },
    Site {
        office: "Hamburg",
        street: "Große Elbstraße 9",
        city: "Hamburg",
        state: "Hamburg",
        postal: "22767",
        country: "Germany",
        iso: "DE",
        phone: "+49 40 5550 0",
    },
    Site {
        office: "Wrocław",
        street: "ul. Świdnicka 12",
        city: "Wrocław",
        state: "Dolnośląskie",
        postal: "50-067",
        country: "Poland",
        iso: "PL",
        phone: "+48 71 555 0",
    },
    Site {
        office: "Denver",
        street: "1801 Wynkoop Street",
        city: "Denver",
        state: "CO",
        postal: "80202",
        country: "United States",
        iso: "US",
        phone: "+1 303 555 0",
    },
    Site {
        office: "Austin",
        street: "500 Congress Avenue",
        city: "Austin",
        state: "TX",
        postal: "78701",
        country: "United States",
        iso: "US",
        phone: "+1 512 555 0",
    },
    Site {
        office: "Singapore",
        street: "8 Marina View",
        city: "Singapore",
        state: "Singapore",
        postal: "018960",
        country: "Singapore",
        iso: "SG",
        phone: "+65 6555 0",
    },
    Site {
        office: "大阪支社",
        street: "北区梅田1-1",
        city: "大阪市",
        state: "大阪府",
        postal: "530-0001",
        country: "Japan",
        iso: "JP",
        phone: "+81 6 5550 0",
    },
];

/// Named companies: display name, domain label, first site. Later tenants combine [`WORDS`] and [`TRADES`].
pub const COMPANIES: &[(&str, &str, usize)] = &[
    ("Harbour & Vale Logistics", "harbourvale", 0),
    ("Nordlys Energi A/S", "nordlys-energi", 2),
    ("Cedar Ridge Dental Group", "cedarridgedental", 6),
    ("Elbwerk Maschinenbau GmbH", "elbwerk", 4),
    ("Sakura Precision Tools", "sakura-precision", 8),
    ("Fjallagrip Outdoor ehf.", "fjallagrip", 3),
    ("Larkspur Legal LLP", "larkspurlegal", 0),
    ("Blue Mesa Credit Union", "bluemesacu", 6),
    ("Kowalczyk Piekarnie", "kowalczyk-piekarnie", 5),
    ("Merlion Freight Pte Ltd", "merlionfreight", 8),
];

/// First word of a generated company's name.
pub const WORDS: &[&str] = &[
    "Alder",
    "Beacon",
    "Copper",
    "Dunmore",
    "Everfield",
    "Foxglove",
    "Granite",
    "Hollin",
    "Ivory",
    "Juniper",
    "Kingsway",
    "Linden",
    "Maple",
    "Northgate",
    "Orchard",
    "Pinewood",
    "Quarry",
    "Rowan",
    "Silver",
    "Thornton",
];
/// Second word of a generated company's name.
pub const TRADES: &[&str] = &[
    "Architects",
    "Bakeries",
    "Care Homes",
    "Construction",
    "Dental",
    "Engineering",
    "Farms",
    "Insurance",
    "Laboratories",
    "Media",
    "Motors",
    "Schools Trust",
    "Surveyors",
    "Textiles",
    "Veterinary",
];

/// A product a tenant can have bought: Microsoft's published ids and names, with the service plans that matter to readers.
pub struct Sku {
    /// The product's id.
    pub id: &'static str,
    /// Its part number.
    pub part: &'static str,
    /// Service plans: id, name.
    pub plans: &'static [(&'static str, &'static str)],
}

/// Products: Microsoft 365 Business Premium, Microsoft 365 E3, Microsoft 365 Business Standard, Exchange Online (Plan 1), Power Automate Free.
pub const SKUS: &[Sku] = &[
    Sku {
        id: "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46",
        part: "SPB",
        plans: &[
            ("41781fb2-bc02-4b7c-bd55-b576c07bb09d", "AAD_PREMIUM"),
            ("9aaf7827-d63c-4b61-89c3-182f06f82e5c", "EXCHANGE_S_STANDARD"),
            ("57ff2da0-773e-42df-b2af-ffb7a2317929", "TEAMS1"),
        ],
    },
    Sku {
        id: "05e9a617-0261-4cee-bb44-138d3ef5d965",
        part: "SPE_E3",
        plans: &[
            ("41781fb2-bc02-4b7c-bd55-b576c07bb09d", "AAD_PREMIUM"),
            ("efb87545-963c-4e0d-99df-69c6916d9eb0", "EXCHANGE_S_ENTERPRISE"),
            ("57ff2da0-773e-42df-b2af-ffb7a2317929", "TEAMS1"),
        ],
    },
    Sku {
        id: "f245ecc8-75af-4f8e-b61f-27d8114de5f3",
        part: "O365_BUSINESS_PREMIUM",
        plans: &[
            ("9aaf7827-d63c-4b61-89c3-182f06f82e5c", "EXCHANGE_S_STANDARD"),
            ("57ff2da0-773e-42df-b2af-ffb7a2317929", "TEAMS1"),
        ],
    },
    Sku {
        id: "4b9405b0-7788-4568-add1-99614e613b69",
        part: "EXCHANGESTANDARD",
        plans: &[("9aaf7827-d63c-4b61-89c3-182f06f82e5c", "EXCHANGE_S_STANDARD")],
    },
    Sku {
        id: "f30db892-07e9-47e9-837c-80727f46fd3d",
        part: "FLOW_FREE",
        plans: &[("50e68c76-46c6-4674-81f9-75456511b170", "FLOW_P2_VIRAL")],
    },
];
