/* See words.h. */
#include "resources/data/sample/words.h"

const char *const sf_sample_groups[SF_SAMPLE_GROUPS] = {
    "Public Protection",    "Public Works, Transit & Trade",    "Human Welfare & Neighborhoods", "Community Health",
    "Culture & Recreation", "General Administration & Finance", "General City Responsibilities",
};

/* Twelve departments in the middle group and eighteen at most; the two dozen irregular ones carry the second half of the
 * row. Two blanks, capitals and lower-case words in the second names are meant. */
const struct sf_sample_department sf_sample_departments[SF_SAMPLE_DEPARTMENTS] = {
    {"POL", "Police", 1, 44, 0, NULL, NULL, 0},
    {"FIR", "Fire", 1, 22, 0, NULL, NULL, 0},
    {"SHR", "Sheriff", 1, 24, 0, NULL, NULL, 0},
    {"DSA", "District Attorney", 1, 14, 0, NULL, NULL, 0},
    {"PDF", "Public Defender", 1, 7, 0, NULL, NULL, 0},
    {"JVP", "Juvenile Probation", 1, 18, 0, NULL, NULL, 0},
    {"APB", "Adult Probation", 1, 9, 0, NULL, NULL, 0},
    {"CRT", "Trial Courts", 1, 12, 0, NULL, NULL, 0},
    {"EMG", "Emergency Services", 1, 12, 0, "EMC", NULL, 0},
    {"PAO", "Police Accountability Office", 1, 6, 0, NULL, "Department of Police Review", 0},
    {"MEX", "Medical Examiner", 1, 6, 0, NULL, NULL, 0},
    {"ANM", "Animal Shelter", 1, 8, 0, NULL, NULL, 4},
    {"AIR", "Airport", 2, 34, 0, NULL, NULL, 0},
    {"HRB", "Harbor", 2, 30, SF_SAMPLE_BOTH, NULL, NULL, 0},
    {"TRN", "Transit Agency", 2, 56, 0, NULL, "Transit agency", 0},
    {"PWK", "Public Works", 2, 134, 0, NULL, NULL, 0},
    {"WTR", "Water Enterprise", 2, 48, 0, NULL, NULL, 0},
    {"PWR", "Power & Light Enterprise", 2, 20, 0, NULL, NULL, 0},
    {"SWR", "Sewer Enterprise", 2, 26, 0, NULL, NULL, 0},
    {"BLI", "Building Inspection", 2, 14, 0, NULL, NULL, 0},
    {"EWK", "Economic & Workforce Growth", 2, 22, 0, NULL, NULL, 6},
    {"PKT", "Parking & Traffic", 2, 18, 0, NULL, NULL, 0},
    {"UTA", "Utilities Administration", 2, 12, 0, NULL, NULL, 0},
    {"CTB", "County Transit Bureau", 2, 8, SF_SAMPLE_RELATED, NULL, NULL, 0},
    {"HUM", "Human Support Agency", 3, 46, 0, "SOC", NULL, 0},
    {"AGE", "Aging &  Adult Services", 3, 14, 0, NULL, "Aging & Adult Services", 0},
    {"CYF", "Children, Youth & Families", 3, 20, 0, NULL, NULL, 0},
    {"HML", "Homeless Services", 3, 12, 0, NULL, "HOMELESS SERVICES", 0},
    {"RNB", "Rent Board", 3, 4, 0, NULL, NULL, 0},
    {"WMC", "Women's Commission", 3, 5, 0, NULL, NULL, 0},
    {"IDV", "Island Development Authority", 3, 12, SF_SAMPLE_RELATED, NULL, NULL, 0},
    {"PHL", "Public Health", 4, 92, 0, NULL, NULL, 0},
    {"HSP", "County Hospital", 4, 34, 0, NULL, NULL, 0},
    {"LTC", "Lakeside Care Center", 4, 18, 0, NULL, NULL, 0},
    {"MHS", "Mental Health Services", 4, 22, 0, NULL, NULL, 0},
    {"LBR", "Library", 5, 20, 0, NULL, NULL, 0},
    {"RPK", "Recreation & Parks", 5, 78, 0, NULL, NULL, 0},
    {"ARC", "Arts Commission", 5, 18, 0, NULL, NULL, 0},
    {"MUS", "City Museums", 5, 9, 0, NULL, NULL, 0},
    {"WAM", "World Art Museum", 5, 5, 0, NULL, NULL, 0},
    {"SCA", "Science Academy", 5, 4, 0, NULL, NULL, 0},
    {"LWL", "Law Library", 5, 3, 0, NULL, NULL, 0},
    {"MEM", "Memorial Halls", 5, 5, 0, NULL, NULL, 0},
    {"ZOO", "Zoo & Gardens", 5, 6, 0, NULL, NULL, 0},
    {"CLG", "Community College", 5, 12, 0, NULL, NULL, 0},
    {"SCH", "City Schools", 5, 10, 0, NULL, NULL, 0},
    {"MTM", "Maritime Museum", 5, 4, 0, NULL, NULL, 0},
    {"CTR", "Controller", 6, 20, 0, NULL, NULL, 0},
    {"TRS", "Treasurer & Tax Collector", 6, 18, 0, NULL, NULL, 0},
    {"ASR", "Assessor & Recorder", 6, 9, 0, NULL, NULL, 0},
    {"GSV", "General Services", 6, 56, 0, NULL, NULL, 0},
    {"TEC", " GSV - Technology", 6, 20, 0, NULL, "GSV - Technology", 0},
    {"HRS", "Human Resources", 6, 18, 0, NULL, NULL, 0},
    {"CSV", "Civil Service Board", 6, 3, 0, NULL, NULL, 0},
    {"ATY", "City Attorney", 6, 9, 0, NULL, NULL, 0},
    {"PLN", "City Planning", 6, 14, 0, NULL, NULL, 2},
    {"ETC", "Ethics Board", 6, 4, 0, NULL, NULL, 0},
    {"SUP", "Board of Supervisors", 6, 9, 0, NULL, NULL, 0},
    {"MAY", "Mayor", 6, 20, 0, NULL, NULL, 0},
    {"ELC", "Elections", 6, 4, 0, NULL, "Voter Services", 0},
    {"RTS", "Retirement System", 6, 28, SF_SAMPLE_BOTH, NULL, NULL, 0},
    {"HBN", "Health Benefits Office", 6, 6, 0, NULL, "health Benefits Office", 0},
    {"GEN", "General City Responsibility", 7, 26, 0, "GCR", NULL, 0},
    {"UNA", "Unassigned Resources", 7, 6, 0, NULL, NULL, 0},
};

const char *const sf_sample_common_programs[SF_SAMPLE_COMMON_PROGRAMS] = {
    "Administration",
    "No Program Defined",
    "Operations",
    "Capital Project",
    "Facilities & Equipment",
    "Grants",
    "Information Technology",
    "Facilities Maintenance",
    "Human Resources Division",
    "Finance & Budget",
    "Planning & Policy",
    "Community Outreach",
    "Public Information",
    "Training",
    "Fleet",
    "Customer Service",
    "Records",
    "Research & Evaluation",
    "Safety & Security",
    "Legal Services",
    "Purchasing",
    "Debt Service",
    "Work Orders",
    "Special Projects",
    "Workforce Development",
    "Accounting",
    "Commission Support",
    "Compliance",
    "Data & Performance",
    "Emergency Preparedness",
    "Employee Relations",
    "Energy & Sustainability",
    "Fee Supported Services",
    "Field Services",
    "Investigations",
    "Payroll & Personnel",
    "Property Management",
    "Real Estate",
    "Warehouse",
    "Youth Programs",
};

static const char *const program_first[] = {
    "Street",    "Harbor",         "Youth",        "Senior",        "Neighborhood", "Coastal", "Terminal", "Watershed",
    "Reservoir", "Traffic",        "Sidewalk",     "Tree",          "Playground",   "Branch",  "Clinic",   "Nursing",
    "Emergency", "Trauma",         "Primary Care", "Shelter",       "Housing",      "Family",  "Child",    "Foster",
    "Job",       "Small Business", "Bridge",       "Rail",          "Bus",          "Cable",   "Parking",  "Garage",
    "Fishery",   "Cruise",         "Cargo",        "Water Quality", "Treatment",    "Sewer",   "Power",    "Lighting",
    "Permit",    "Inspection",     "Jail",         "Court",         "Patrol",       "Marine",  "Forensic", "Victim",
    "Recovery",  "Prevention",     "Gallery",      "Concert",       "Garden",       "Stadium", "Golf",     "Aquatics",
    "Payment",   "Revenue",
};
static const char *const program_second[] = {
    "Operations", "Maintenance", "Services", "Engineering", "Planning", "Improvement", "Support", "Safety", "Design", "Outreach",
};
const struct sf_sample_words sf_sample_program_first = {program_first, SF_COUNT(program_first)};
const struct sf_sample_words sf_sample_program_second = {program_second, SF_COUNT(program_second)};

static const char *const spending_shared[SF_SAMPLE_SHARED_CHARACTERS_SPENDING] = {
    "Salaries & Wages",   "Contractual Services", "Materials & Supplies",    "Mandatory Benefits",   "Capital Outlay",
    "Debt Service",       "Public Assistance",    "City Grant Program",      "Overhead Allocations", "Facilities Maintenance",
    "Insurance & Claims", "Loans Issued",         "Operating Transfers Out",
};
static const char *const spending_legacy[SF_SAMPLE_ERA_CHARACTERS] = {
    "Non Personnel Services",   "Services of Other Agencies",
    "Equipment Purchases",      "Judgments",
    "Intrafund Transfers",      "Depreciation",
    "Allocated Charges",        "Aid Payments",
    "Reserve for Projects",     "Retirement Contributions",
    "Taxes & Assessments Paid", "Carryforward Expenditure",
};
/* The first two are spellings of the first two shared ones and made from them. */
static const char *const spending_new[SF_SAMPLE_ERA_CHARACTERS] = {
    NULL,
    NULL,
    "Supplies and Small Equipment",
    "Employer Paid Benefits",
    "Capital Outlay, Buildings & Land",
    "Non-Personnel Services",
    "Services Of Other Agencies",
    "Programmatic Projects",
    "Transfers Between Funds",
    "Unappropriated Reserve",
    "Amortization",
    "Other Support & Care Of Persons",
};
static const char *const revenue_shared[SF_SAMPLE_SHARED_CHARACTERS_REVENUE] = {
    "Charges for Services",
    "Property Taxes",
    "Business Taxes",
    "Licenses, Permits & Franchises",
    "Fines & Forfeitures",
    "Rents & Concessions",
    "Interest & Investment Income",
    "Federal Grants",
    "State Grants",
    "Other Revenues",
    "Operating Transfers In",
};
static const char *const revenue_legacy[SF_SAMPLE_ERA_CHARACTERS] = {
    "Sales and Use Tax",
    "Hotel Room Tax",
    "Parking tax",
    "Utility Users Tax",
    "Intergovernmental, Federal",
    "Intergovernmental, State",
    "Contributions From Property Owners",
    "Gain on Disposals",
    "Proceeds of Bonds",
    "Expenditure Recovery",
    "Intrafund Sources",
    "Beginning Fund Balance",
};
static const char *const revenue_new[SF_SAMPLE_ERA_CHARACTERS] = {
    "Other Local Taxes",        "Parking Tax",
    "Transfer Tax on Property", "Federal Aid & Subventions",
    "State Aid & Subventions",  "Other Agencies' Aid",
    "Water & Power Sales",      "Passenger Fares",
    "Other Financing Sources",  "Recoveries From Other Agencies",
    "Transfers From Reserves",  "Unappropriated Fund Balance",
};
const char *const *const sf_sample_shared_characters[2] = {spending_shared, revenue_shared};
const char *const *const sf_sample_legacy_characters[2] = {spending_legacy, revenue_legacy};
const char *const *const sf_sample_new_characters[2] = {spending_new, revenue_new};

static const char *const spending_first[] = {
    "Office",   "Medical",  "Laboratory", "Vehicle",       "Uniformed",   "Temporary",    "Overtime",  "Permanent",
    "Holiday",  "Premium",  "Health",     "Dental",        "Retirement",  "Unemployment", "Social",    "Workers'",
    "Travel",   "Training", "Membership", "Software",      "Hardware",    "Telephone",    "Data",      "Printing",
    "Postage",  "Freight",  "Fuel",       "Electrical",    "Plumbing",    "Building",     "Landscape", "Janitorial",
    "Security", "Legal",    "Auditing",   "Architectural", "Engineering", "Moving",       "Food",      "Clothing",
    "Linen",    "Library",  "Recreation", "Safety",        "Chemical",    "Gravel",       "Steel",     "Lumber",
    "Paint",    "Tool",     "Radio",      "Traffic",       "Signal",      "Boiler",       "Elevator",  "Pavement",
};
static const char *const spending_second[] = {
    "Services",  "Supplies",   "Equipment",    "Maintenance", "Rental",     "Fees",      "Repairs",  "Allowance", "Contracts",
    "Materials", "Insurance",  "Charges",      "Purchases",   "Payments",   "Expense",   "Program",  "Projects",  "Support",
    "Reserve",   "Leases",     "Claims",       "Transfers",   "Assistance", "Utilities", "Wages",    "Benefits",  "Adjustment",
    "Licenses",  "Consulting", "Improvements", "Inspection",  "Parts",      "Disposal",  "Delivery", "Interest",
};
static const char *const revenue_first[] = {
    "Parking", "Street",    "Garage",     "Harbor",  "Terminal", "Landing",     "Concession", "Museum",   "Recreation",
    "Golf",    "Pool",      "Library",    "Permit",  "Plan",     "Building",    "Fire",       "Police",   "Court",
    "Traffic", "Recording", "Clerk's",    "Health",  "Clinic",   "Patient",     "Medi-Aid",   "Hospital", "Water",
    "Power",   "Sewer",     "Connection", "Transit", "Fare",     "Advertising", "Rental",     "Interest", "Dividend",
    "Sales",   "Hotel",     "Utility",    "Payroll", "Property", "Transfer",
};
static const char *const revenue_second[] = {
    "Fees",          "Charges",   "Tax",     "Fines",    "Penalties",  "Rent",        "Revenue",     "Income",    "Grants",
    "Reimbursement", "Sales",     "Permits", "Licenses", "Recoveries", "Allocations", "Deposits",    "Proceeds",  "Aid",
    "Subsidy",       "Surcharge", "Refunds", "Bonds",    "Gifts",      "Settlement",  "Assessments", "Royalties",
};
static const char *const spending_object[] = {"Cost Group", "Outlay", "Accounts", "Control"};
static const char *const revenue_object[] = {"Receipts", "Collections", "Sources", "Yield"};
const struct sf_sample_words sf_sample_item_first[2] = {{spending_first, SF_COUNT(spending_first)},
                                                        {revenue_first, SF_COUNT(revenue_first)}};
const struct sf_sample_words sf_sample_item_second[2] = {{spending_second, SF_COUNT(spending_second)},
                                                         {revenue_second, SF_COUNT(revenue_second)}};
const struct sf_sample_words sf_sample_object_second[2] = {{spending_object, SF_COUNT(spending_object)},
                                                           {revenue_object, SF_COUNT(revenue_object)}};

const char *const sf_sample_fund_types[SF_SAMPLE_SHARED_FUND_TYPES + SF_SAMPLE_LEGACY_FUND_TYPES + SF_SAMPLE_NEW_FUND_TYPES] = {
    "Special Revenue Funds",
    "General Fund",
    "Capital Projects Funds",
    "Debt Service Funds",
    "Internal Service Funds",
    "Trust Funds",
    /* legacy */
    "Airport Funds",
    "Harbor Funds",
    "Transit Funds",
    "Water Funds",
    "Power Funds",
    "Sewer Funds",
    "Hospital Funds",
    "Long Term Care Funds",
    "Agency Funds",
    "Gift Funds",
    "Pension Fund",
    "Parking & Traffic Funds",
    "General Fixed Assets",
    /* new */
    "Airport Enterprise",
    "Harbor Enterprise",
    "Transit Enterprise",
    "Water Enterprise",
    "Power Enterprise",
    "Sewer Enterprise",
    "County Hospital Enterprise",
    "Care Center Enterprise",
    "Custodial Funds",
    "Permanent Funds",
    "Pension & Benefit Trusts",
    "Community Facilities District",
    "Component Units",
    "Private-Purpose Trusts",
};
const char *const sf_sample_legacy_fund_type_codes[SF_SAMPLE_SHARED_FUND_TYPES + SF_SAMPLE_LEGACY_FUND_TYPES] = {
    "2S", "1G", "3C", "4D", "6I", "7E", "5A", "5P", "5M", "5W", "5T", "5C", "5H", "5L", "7A", "7G", "7P", "5X", "8F",
};

static const char *const fund_first[] = {
    "Children's",    "Library", "Open Space", "Street",   "Road",      "Housing",    "Culture",    "Hotel",      "Tourism",
    "Public Health", "Safety",  "Seismic",    "Park",     "Museum",    "Art",        "Courts",     "Sheriff",    "Fire",
    "Senior",        "Youth",   "Workforce",  "Business", "Permit",    "Planning",   "Inspection", "Water",      "Wastewater",
    "Power",         "Airport", "Harbor",     "Transit",  "Garage",    "Fleet",      "Printing",   "Technology", "Risk",
    "Insurance",     "Retiree", "Benefit",    "Pension",  "Education", "Early Care", "Nutrition",  "Family",     "Shelter",
    "Clean City",    "Energy",  "Climate",    "Flood",    "Bridge",    "Sidewalk",   "Tree",
};
static const char *const fund_second[] = {
    "Fund",  "Special Revenue Fund", "Capital Projects", "Bond Series A", "Bond Series B",   "State Grants", "Federal Grants",
    "Gifts", "Trust Fund",           "Operating Fund",   "Reserve",       "Annual Projects",
};
const struct sf_sample_words sf_sample_fund_first = {fund_first, SF_COUNT(fund_first)};
const struct sf_sample_words sf_sample_fund_second = {fund_second, SF_COUNT(fund_second)};

const char *const sf_sample_fund_categories[2][SF_SAMPLE_FUND_CATEGORIES] = {
    {"Unclassified", "Operating", "Annual Projects", "Continuing projects", "Grants", "Work Orders", "Bond Proceeds", "Gifts"},
    {"Unclassified", "Annually Budgeted", "Annual Projects", "Continuing Projects", "Grants", "Work Orders", "Bonds & Loans",
     "Gifts"},
};
